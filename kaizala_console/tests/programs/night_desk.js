// The night desk's robot: speaks as a bot, sends cards of a package, hears of what happens by webhook. From 2018.
//
// KAIZALA_HOST=https://api.kaiza.la node night_desk.js APPLICATION_ID APPLICATION_SECRET REFRESH_TOKEN GROUP_ID OLD_TOKEN
//
// Callbacks, `var`, and bodies glued together from text, as nobody had told us otherwise.
var http = require('http');
var url = require('url');

var baseUrl = process.env.KAIZALA_HOST || 'https://api.kaiza.la';
var args = process.argv.slice(2);
var applicationId = args[0], applicationSecret = args[1], refreshToken = args[2], groupId = args[3];
var accessToken = args[4]; // kept from the day before: it may be over
var endpointUrl = baseUrl;
var CALLBACK_TOKEN = 'tokenToBeVerifiedByCallback';

function send(method, address, headers, body, done) {
  var target = url.parse(address);
  var options = { hostname: target.hostname, port: target.port, path: target.path, method: method, headers: headers || {} };
  options.headers['cache-control'] = 'no-cache';
  var request = http.request(options, function (response) {
    var text = '';
    response.setEncoding('utf8');
    response.on('data', function (chunk) { text += chunk; });
    response.on('end', function () { done(response, text); });
  });
  request.on('error', function (error) { console.log('ERROR', error.message); process.exit(1); });
  if (body) {
    body = typeof body === 'string' ? body : JSON.stringify(body);
    if (!process.env.IN_CHUNKS) { request.setHeader('Content-Length', Buffer.byteLength(body)); }
    request.write(body);
  }
  request.end();
}

function renew(done) {
  var headers = { applicationId: applicationId, applicationSecret: applicationSecret, refreshToken: refreshToken };
  send('GET', baseUrl + '/v1/accessToken', headers, null, function (response, text) {
    var responseObj = JSON.parse(text);
    if (responseObj.refreshToken) { refreshToken = responseObj.refreshToken; }
    accessToken = responseObj.accessToken;
    endpointUrl = responseObj.endpointUrl;
    done();
  });
}

function call(method, path, body, done) {
  // "contentType" is no header, and never was: it was in the first sample that we found
  send(method, endpointUrl + path, { accessToken: accessToken, contentType: 'application/json' }, body, function (response, text) {
    var responseObj = JSON.parse(text);
    if (response.statusCode === 401 && responseObj.message.indexOf('Token validation failed due to unknown reason!') > -1) {
      console.log('RENEW', responseObj.errorCode, responseObj.errorCategoryKey);
      renew(function () { call(method, path, body, done); });
    } else if (response.statusCode === 429) {
      console.log('WAIT', responseObj.errorCode, Number(response.headers['retry-after']) > 0);
      setTimeout(function () { call(method, path, body, done); }, Number(process.env.WAIT_MS || response.headers['retry-after'] * 1000));
    } else if (response.statusCode === 308) {
      console.log('MOVED', response.headers.location.slice(-path.length) === path);
      endpointUrl = response.headers.location.slice(0, -path.length).replace(/\/$/, '');
      call(method, path, body, done);
    } else if (response.statusCode === 200) {
      done(responseObj);
    } else {
      console.log('FAILED', method, path, response.statusCode, text);
      process.exit(1);
    }
  });
}

// What Kaizala calls --------------------------------------------------------------------------------------------

var heard = [];
var server = http.createServer(function (request, response) {
  var query = url.parse(request.url, true).query;
  if (query.validationToken) {
    response.end(query.validationToken);
    return;
  }
  if (request.url === '/photo.png') {
    response.setHeader('Content-Type', 'image/png');
    response.end(Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64'));
    return;
  }
  var text = '';
  request.on('data', function (chunk) { text += chunk; });
  request.on('end', function () {
    var event = JSON.parse(text);
    heard.push(event.eventType + ' ' + (request.headers['kz-callback-token'] === CALLBACK_TOKEN) + ' ' + event.context);
    response.end('Webhook Active');
  });
});

function whenHeard(number, done) {
  if (heard.length >= number) { done(); } else { setTimeout(function () { whenHeard(number, done); }, 20); }
}

// What it does --------------------------------------------------------------------------------------------------

var group = '/groups/' + groupId + '@2';
var steps = [
  function (next) {
    call('GET', '/v1/users/me', null, function (me) { console.log('I AM', me['name']); next(); });
  },
  function (next) {
    call('POST', '/bot', '{name:"Night desk",}', function (bot) {
      call('PUT', '/v1/bot/' + bot.id, '{\r\n\t"Name":"Night desk 2"\r\n}', function (changed) {
        call('GET', '/v1/bot', null, function (all) {
          console.log('BOT', changed.name, all.bots.length);
          call('PUT', '/v1' + group + '/bot', { botIds: [bot.id] }, function (added) {
            call('GET', '//v1/bot/accessToken/' + bot.id, null, function (token) {
              var mine = accessToken;
              accessToken = token.accessToken;
              call('POST', group + '/messages', "{'message':'Lights out'}", function (resp) {
                accessToken = mine;
                if (resp['referenceId']) { console.log('SAID', added.result); }
                call('DELETE', '/v1/bot/' + bot.id, null, function () { next(); });
              });
            });
          });
        });
      });
    });
  },
  function (next) {
    var hook = { objectId: groupId + '@2', objectType: 'group', eventTypes: ['ActionCreated', 'TextMessageCreated', 'AttachmentCreated'],
      callBackUrl: process.env.CALLBACK_URL || 'http://127.0.0.1:' + server.address().port + '/', callBackToken: CALLBACK_TOKEN,
      callbackContext: 'night' };
    call('POST', '/v1/webhook', hook, function (made) {
      call('PUT', '/v1/webhook/' + made.webhookId, '{Active:"true", callBackContext:"night 2"}', function () {
        call('GET', '/webhook/?objectId=' + groupId + '@2&objectType=Group', null, function (list) {
          var one = list.webhooks[0];
          console.log('WEBHOOK', one.id === made.webhookId, one.callbackUrl === one.callBackUrl, one.events.length, one.active);
          var card = { id: 'com.nightdesk.notice.2', sendToAllSubscribers: false, subscribers: null, actionBody: {
            properties: [{ name: 'messageTitle', value: 'Gate 3', type: 'Text' }, { name: 'beds', value: '4', type: '1' }] } };
          call('POST', '/v1' + group + '/actions', card, function (sent) {
            console.log('CARD', sent.actionId.length);
            call('POST', '/v1/media/url', '{mediaUrl:"http://127.0.0.1:' + server.address().port + '/photo.png"}', function (media) {
              var photo = '{actiontype:"Image", actionBody:{mediaResource: "' + media.mediaResource + '", caption: "It\\\'s open"}}';
              call('POST', '/v1' + group + '/actions/', photo, function () {
                whenHeard(2, function () {
                  console.log('HEARD', heard.sort().join(', '));
                  call('DELETE', '/v1/webhook/' + made.webhookId, null, function () { next(); });
                });
              });
            });
          });
        });
      });
    });
  },
  function (next) {
    // twice in a row, as the button was pressed twice; more than the minute allows
    var left = Number(process.env.PRESSED || 0);
    (function press() {
      if (left-- === 0) { next(); return; }
      call('GET', '/groups?fetchAllGroups=true&showDetails=true', null, function (resp) {
        if (left === 0) { console.log('GROUPS', resp.groups.length); }
        press();
      });
    })();
  }
];

server.listen(0, '127.0.0.1', function () {
  (function run(index) {
    if (index < steps.length) { steps[index](function () { run(index + 1); }); } else { server.close(); process.exit(0); }
  })(0);
});
