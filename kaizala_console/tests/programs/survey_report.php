<?php
// Writes what is answered to a plant's surveys into a table. From 2019, CodeIgniter taken out.
//
// As a program: KAIZALA_HOST=https://api.kaiza.la php survey_report.php APPLICATION_ID APPLICATION_SECRET REFRESH_TOKEN GROUP_ID CALLBACK FILE
// As its own receiver: REPORT=FILE php -S 127.0.0.1:8080 survey_report.php

if (PHP_SAPI === 'cli-server') {
    $params = $_SERVER['QUERY_STRING'] ?? '';
    if ($params != '') {
        echo str_replace('validationToken=', '', $params);  // no header: PHP calls it text/html
        return;
    }
    $event = json_decode(file_get_contents('php://input'));
    $data = $event->data;
    if ($_SERVER['HTTP_KZ_CALLBACK_TOKEN'] != 'tokenToBeVerifiedByCallback') {
        http_response_code(403);
    } elseif ($event->eventType == 'MemberAdded') {
        $row = array($event->eventType, $event->subscriptionId != '', $data->memberId != '', $event->objectId != '', $data->type, $data->member);
    } elseif (strpos($event->eventType, 'Response') != false) {
        $row = array($event->eventType, $data->responder, $data->responderName, $data->responderId == $event->fromUserId,
            isset($data->actionPackageId) ? $data->actionPackageId . ' of ' . $data->packageId : 'no package', $event->context);
        foreach ($data->responseDetails->responseWithQuestions as $question) {
            if ($question->type == 'Location') {
                $row[] = $question->answer->n . ' ' . $question->answer->lt;
            } elseif ($question->type == 'DateTime') {
                $row[] = gmdate('Y-m-d', intval(($question->answer + 0) / 1000));
            } elseif ($question->type == 'SingleOption') {
                $row[] = $question->answer[0];
            } elseif ($question->type == 'MultiOption') {
                $row[] = json_encode($question->answer);
            } elseif ($question->type == 'AttachmentList' || $question->type == 'Image') {
                $row[] = count($question->answer) . ' ' . md5(file_get_contents($question->answer[0]->mediaUrl));
            } else {
                $row[] = $question->answer;
            }
        }
    }
    if (isset($row)) {
        file_put_contents(getenv('REPORT'), json_encode($row) . "\n", FILE_APPEND | LOCK_EX);
    }
    return;
}

list(, $application_id, $application_secret, $refresh_token, $group_id, $callback, $report) = $argv;
$host = getenv('KAIZALA_HOST') ?: 'https://kms.kaiza.la';

function request($url, $method, $headers, $body = '')
{
    $curl = curl_init();
    curl_setopt_array($curl, array(
        CURLOPT_URL => $url,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_ENCODING => '',
        CURLOPT_MAXREDIRS => 10,
        CURLOPT_TIMEOUT => 30,
        CURLOPT_HTTP_VERSION => CURL_HTTP_VERSION_1_1,
        CURLOPT_CUSTOMREQUEST => $method,
        CURLOPT_POSTFIELDS => $body,  // with GET and DELETE as well: it was in the sample
        CURLOPT_HTTPHEADER => $headers,
    ));
    $response = curl_exec($curl);
    $err = curl_error($curl);
    curl_close($curl);
    if ($err) {
        exit("cURL Error #:" . $err . "\n");
    }
    $obj = json_decode($response);
    if (property_exists($obj, 'errorCode')) {
        exit("REFUSED $method $url $response\n");
    }
    return $obj;
}

$access_token = request($host . '/v1/accessToken', 'GET', array(
    'applicationId: ' . $application_id,
    'applicationSecret: ' . $application_secret,
    'refreshToken: ' . $refresh_token,
    'Content-Type: application/json',
))->accessToken;
$json = array('accessToken: ' . $access_token, 'Content-Type: application/json');
$bare = array('accessToken: ' . $access_token);

$groups = request($host . '/v1/groups?fetchAllGroups=true&showDetails=true', 'GET', $bare)->groups;
echo 'GROUPS ', count($groups), ' ', $groups[0]->groupType, ' ', json_encode($groups[0]->hasParentGroups), "\n";
echo 'MEMBERS ', count(request($host . '/v1/groups/' . $group_id . '/members', 'GET', $bare)->members) > 1 ? 'some' : 'none', "\n";

$webhook_id = request($host . '/v1/webhook', 'POST', $json, json_encode(array(
    'objectId' => $group_id . '@2',
    'objectType' => 'Group',
    'eventTypes' => array('ActionCreated', 'ActionResponse', 'SurveyResponse', 'MemberAdded', 'MemberRemoved'),
    'callBackUrl' => $callback,
    'callBackToken' => 'tokenToBeVerifiedByCallback',
    'callBackContext' => 'report',
)))->webhookId;
$found = request($host . '/v1/webhook?objectId=' . $group_id . '&objectType=Group', 'GET', $bare)->webhooks;
echo 'WEBHOOK ', $found[0]->id == $webhook_id ? $found[0]->callbackUrl == $callback : 'lost', ' ', $found[0]->callBackContext, "\n";

$picture = tempnam(sys_get_temp_dir(), 'report');
file_put_contents($picture, base64_decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='));
$media = request($host . '/v1/media', 'POST', $bare, array('files' => new CURLFile($picture, 'image/png', 'plan.png')));
unlink($picture);

$questions = array(
    array('title' => 'Name', 'type' => 'Text'),
    array('title' => 'Shift', 'type' => 'SingleOption', 'options' => array(array('title' => 'Early'), array('title' => 'Late'))),
    array('title' => 'Days', 'type' => 'MultiOption', 'options' => array(array('title' => 'Sat'), array('title' => 'Sun'))),
    array('title' => 'Where', 'type' => 'Location'),
    array('title' => 'When', 'type' => 'DateTime'),
    array('title' => 'Photo', 'type' => 'Image'),
);
$answers = array("Asha\nRao", 'Late', array('Sun'), array('lt' => 18.5, 'lg' => 73.8, 'n' => 'Pune'), '1546300800000', $media->mediaResource);
$actions = $host . '/v1/groups/' . $group_id . '/actions';
foreach (array(array('actionType' => 'Survey'), array('id' => 'com.plant.report.3')) as $kind) {
    $card = request($actions, 'POST', $json, json_encode($kind + array(
        'sendToAllSubscribers' => false,
        'actionBody' => array('title' => 'Report', 'questions' => $questions),
    )));
    request($actions . '/' . $card->actionId . '/responses', 'POST', $json, json_encode(array(
        'actionType' => 'Survey', 'actionBody' => array('responseName' => 'r', 'Answers' => $answers),
    )));
}
request($host . '/v1/groups/' . $group_id . '/members', 'PUT', $json, json_encode(array('members' => array('+919820000016'))));

for ($waited = 0; $waited < 100 && (!is_file($report) || count(file($report)) < 3); $waited++) {
    usleep(100000);
}
$rows = is_file($report) ? file($report) : array();
sort($rows);
echo implode('', $rows);
$gone = request($host . '/v1/webhook/' . $webhook_id, 'DELETE', $bare);
echo 'GONE ', property_exists($gone, 'message') ? 'no' : 'yes', "\n";
