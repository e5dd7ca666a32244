"""Runs the messages of a ward office: signs in by PIN, keeps lists, sends forms out, reads what comes back.

KAIZALA_HOST=https://api.kaiza.la python ward_office.py APPLICATION_ID APPLICATION_SECRET REFRESH_TOKEN MOBILE_NUMBER

Written in 2018 and never tidied up: bodies are str() of dictionaries or text put together by hand.
"""

import base64
import os
import sys
import time

import requests

HOST = os.environ.get("KAIZALA_HOST", "https://api.kaiza.la")
APPLICATION_ID, APPLICATION_SECRET, REFRESH_TOKEN, MOBILE_NUMBER = sys.argv[1:5]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
session = requests.Session()


def request(method, url, token=None, payload="", **headers):
    headers["cache-control"] = "no-cache"
    if token:
        headers["ACCESSTOKEN"] = token
    data = payload if isinstance(payload, str) else str(payload)
    response = session.request(method, url, data=data.encode("utf-8"), headers=headers, timeout=30)
    if response.status_code != 200:
        print("COULD NOT", method, url.split("/", 3)[3], response.status_code, response.text)
        sys.exit(1)
    return response.json()


def access_token(refresh_token):
    url = HOST + "/v1/accessToken"
    response = session.request(
        "GET",
        url,
        data="",
        headers={
            "applicationid": APPLICATION_ID,
            "APPLICATIONSECRET": APPLICATION_SECRET,
            "RefreshToken": refresh_token,
            "Content-Type": "application/json",
        },
        timeout=30,
    ).json()
    if response and response["accessToken"] and response["accessTokenExpiry"] > int(time.time() - 600) * 1000:
        return response["accessToken"], response["endpointUrl"]
    sys.exit("no access token")


def sign_in():
    request(
        "POST",
        HOST + "/v1/generatePin",
        None,
        '{"mobileNumber":"' + MOBILE_NUMBER + '", applicationId:"' + APPLICATION_ID + '"}',
    )
    print("PIN SENT")
    sys.stdout.flush()
    pin = int(input())
    payload = {
        "mobileNumber": MOBILE_NUMBER,
        "applicationId": APPLICATION_ID,
        "applicationSecret": APPLICATION_SECRET,
        "pin": pin,
    }
    answer = request(
        "POST", HOST + "//v1/LoginWithPinAndApplicationId/", None, payload, **{"Content-Type": "text/plain"}
    )
    if answer["refreshTokenExpiry"] < time.time() * 1000:
        sys.exit("over already")
    token, endpoint = access_token(answer["refreshToken"])
    me = request("GET", endpoint + "/users/me", token)
    changed = request("PUT", endpoint + "/v1/users/Me/", token, {"Name": me["name"] + " (Ward 7)", "profilepic": None})
    print("I AM", changed["mobileNumber"], changed["name"])


def keep_groups(endpoint, token):
    groups = request("GET", endpoint + "/v1/groups?fetchAllGroups=True&showDetail=true", token)["groups"]
    print("GROUPS", len(groups) > 1, sorted({group["groupType"] for group in groups}))
    plain = request(
        "POST",
        endpoint + "/groups/",
        token,
        '{name:"Ward 7", welcomeMessage:"Welcome", groupType:"group", ShortDescriptionString:"Short", '
        'LongDescriptionString:"Long",}',
        **{"Content-Type": "application/x-www-form-urlencoded"},
    )
    group = plain["groupId"] + "@3"
    below = request(
        "POST",
        endpoint + "/v1/groups/" + group + "/subGroups",
        token,
        {"groupName": "Lane 1", "groupImageUrl": "", "members": ["+919820000011"], "addUserToGroup": True},
    )["groupId"]
    other = request("POST", endpoint + "/v1/groups", token, {"groupName": "Lane 2", "members": []})["groupId"]
    request("PUT", endpoint + "/v1/groups/" + group + "/subgroups", token, '{subGroups:["' + other + '@3"]}')
    tree = request("GET", endpoint + "/v1/groups/" + group + "/SUBGROUPS?fetchAllGroups=true", token)["groups"][0]
    print("UNDER", tree["groupName"], [each["groupName"] for each in tree["subGroups"]])
    request("DELETE", endpoint + "/v1/groups/" + group + "/subgroups/" + other + "@3", token)
    details = request("GET", endpoint + "/v1/groups/" + group, token, applicationId=APPLICATION_ID)["groups"][0]
    print(
        "COUNTED",
        details["userCount"],
        details["currentLevelUserCount"],
        details["hasSubGroups"],
        details["callerRole"],
    )
    return group, below


def keep_members(endpoint, token, group):
    url = endpoint + "/v1/groups/" + group + "/members"
    added = request("PUT", url, token, {"members": ["+919820000012", "+919820000013", 919820000014, "12"]})
    print("ADDED", added["result"], [each["number"] for each in added["failed"]])
    found = {member["mobileNumber"]: member for member in request("GET", url + "/", token)["members"]}
    first, second = found["+919820000012"], found["+919820000013"]
    print("PROVISIONED", first["isProvisioned"] or second["isProvisioned"], first["role"])
    if request("PUT", url + "/" + first["id"], token, "{'role':'admin'}")["result"]:
        print("ADMIN", first["name"])
    if request("DELETE", url + "/" + second["id"] + "@3", token)["result"]:
        print("REMOVED", second["name"])
    print("LEFT", len(request("GET", url, token)["members"]))


def keep_subscribers(endpoint, token):
    payload = '{name:"Ward 7 news", members:["+919820000011"], groupType:"CONNECTGROUP"}'
    group = request("POST", endpoint + "/v1/groups", None, payload, Authorization="Bearer " + token)["groupId"]
    url = endpoint + "/v1//groups/" + group + "/subscribers"
    numbers = ["+9198200000" + str(number) for number in range(15, 20)]
    added = request("PUT", url + "/add", token, {"subscribers": numbers})["result"]
    print("SUBSCRIBED", sum(each["isAdded"] for each in added.values()))
    cursor, names = None, []
    while True:
        page = request("POST", url, token, {"Cursor": cursor, "Count": "2"})
        names += [each["name"] for each in page["subscribers"]]
        cursor = page.get("cursor")
        if not cursor:
            break
    print("PAGED", len(names), len(request("GET", url, token, {"cursor": "", "count": 50})["subscribers"]))
    removed = request("PUT", url + "/Remove/", token, '{subscribers:["' + numbers[0] + '"]}')["result"]
    print("UNSUBSCRIBED", removed[numbers[0]]["isRemoved"])
    for payload in (
        {"message": "Water at 6", "sendToAllSubscribers": "True"},
        {"Message": "You", "subscribers": numbers[1:3]},
    ):
        if request("POST", endpoint + "/v1/groups/" + group + "/messages", token, payload)["referenceId"]:
            print("TOLD")


def send_media(endpoint, token, group):
    headers = {"accessToken": token}
    files = {"FileName1": ("a.png", PNG, "image/png"), "FileName2": ("b.png", PNG, "image/png")}
    album = session.post(endpoint + "/v1/media", files=files, headers=headers, timeout=30).json()["mediaResource"]
    one = session.post(endpoint + "/media/", files={"": ("c.png", PNG)}, headers=headers, timeout=30).json()
    url = endpoint + "/v1/groups/" + group + "/actions"
    for kind, resource in (("album", album), ("Image", one["mediaResource"])):
        payload = {"actiontype": kind, "actionBody": {"caption": "It's the lane", "mediaResource": resource}}
        print("SHOWN", bool(request("POST", url, token, payload)["referenceId"]))
    request("POST", url, token, '{actionType:"Announcement", actionBody:{title:"Power cut", message:"5 \\u2013 6"}}')


def ask(endpoint, token, group):
    mine = request("GET", endpoint + "/v1/users/me", token)["mobileNumber"]
    url = endpoint + "/groups/" + group + "/actions"
    bodies = {
        "Job": {"title": "Clear the drain", "assignedTo": ["+919820000012", mine], "dueDate": "10"},
        "poll": {"Question": "Which day?", "Choices": [{"title": "Sunday"}, {"Title": "Monday"}], "expiryInHours": 48},
        "LETSMEET": {
            "title": "Ward meeting",
            "startingTime": "2030-01-05T10:00:00.000Z",
            "duration": "45",
            "place": {"latitude": "18.52", "longitude": 73.85, "name": "Office"},
            "isSenderOnly": False,
        },
        "Survey": {
            "title": "Streetlights",
            "isAnonymous": "false",
            "questions": [
                {"title": "Lane", "type": "TEXT"},
                {"title": "Works?", "type": "SINGLEOPTION", "options": [{"title": "Yes"}, {"title": "No"}]},
                {"title": "Which?", "type": "MULTIOPTION", "options": [{"title": "1"}, {"title": "2"}, {"title": "3"}]},
                {"title": "How many", "type": "NUMERIC"},
                {"title": "Where", "type": "location"},
                {"title": "Since", "type": "datetime"},
            ],
        },
    }
    return url, {
        kind: request("POST", url, token, {"actionType": kind, "actionBody": bodies[kind]})["actionId"]
        for kind in bodies
    }


def answer(url, token, actions):
    answers = {
        "Job": "{actionType:'job', actionBody:{isCompleted : true}}",
        "poll": {"actionType": "Poll", "actionBody": {"choice": "Monday"}},
        "Survey": {
            "actionType": "Survey",
            "actionBody": {
                "responseName": "Lane 1",
                "responseLocation": {"latitude": 1, "longitude": 1, "name": "Here"},
                "Answers": ["Lane 1", "No", ["1", "3"], "123", {"lt": 1, "lg": 1, "n": "cool"}, 1500377471],
            },
        },
    }
    for kind, payload in answers.items():
        response = request("POST", url + "/" + actions[kind] + "/responses", token, payload)["responseId"]
        if kind == "Survey":
            payload["responseId"] = response
            payload["actionBody"]["Answers"][1] = "Yes"
            print(
                "SAME",
                request("POST", url + "/" + actions[kind] + "/Responses/", token, payload)["responseId"] == response,
            )
    survey = request("GET", url + "/" + actions["Survey"] + "/?getDetails=true", token)["actionDetails"]
    print(
        "SURVEY", survey["responseCount"], survey["responses"][0]["answers"][1:4], survey["responses"][0]["responder"]
    )
    job = request("GET", url + "/" + actions["Job"] + "?getDetails=True", token)["actionDetails"]
    print("JOB", job["assigneeCount"], job["responseCount"], job["status"] if "status" in job else job["isCompleted"])


def poll(url, token, since):
    seen = {}
    while True:
        page = request("GET", url + "?fromDate=" + str(since) + "&count=2&actionType=", token)
        for action in page["actions"]:
            seen[action["referenceId"]] = action["actionType"]
            since = max(since, action["creationTime"])
        if not page["hasMore"]:
            return sorted(seen.values())


def main():
    sign_in()
    token, endpoint = access_token(REFRESH_TOKEN)
    since = int(time.time()) - 60
    group, _below = keep_groups(endpoint, token)
    request("PUT", endpoint + "/v1/groups/" + group + "/members", token, {"members": [MOBILE_NUMBER]})
    keep_members(endpoint, token, group)
    keep_subscribers(endpoint, token)
    send_media(endpoint, token, group)
    url, actions = ask(endpoint, token, group)
    answer(url, token, actions)
    print("SEEN", poll(url, token, since))


main()
