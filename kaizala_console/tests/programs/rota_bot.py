"""Makes its bot once, puts it into the group and says good morning as the bot. Written in 2018.

KAIZALA_HOST=https://api.kaiza.la python rota_bot.py APPLICATION_ID APPLICATION_SECRET REFRESH_TOKEN GROUP_ID [delete]
"""

import os
import sys

import requests

HOST = os.environ.get("KAIZALA_HOST", "https://api.kaiza.la")
APPLICATION_ID, APPLICATION_SECRET, REFRESH_TOKEN, GROUP_ID = sys.argv[1:5]
NAME = 'Rota\'s "bot"'


def login():
    headers = {
        "applicationId": APPLICATION_ID,
        "applicationSecret": APPLICATION_SECRET,
        "refreshToken": REFRESH_TOKEN,
        "Content-Type": "application/json",
    }
    answer = requests.get(HOST + "/v1/accessToken/", headers=headers, timeout=30).json()
    return answer["endpointUrl"], answer["accessToken"]


def call(method, url, token, payload=""):
    # no json=: in 2018 nobody here knew of it
    headers = {"accessToken": token, "Content-Type": "application/json", "cache-control": "no-cache"}
    data = str(payload).encode("utf-8") if payload else ""
    response = requests.request(method, url, data=data, headers=headers, timeout=30)
    if response.status_code != 200:
        print("FAILED", response.status_code, response.json()["errorCode"], response.json()["message"])
        sys.exit(1)
    return response.json()


def find_or_make(endpoint, token):
    for bot in call("GET", endpoint + "/bot/", token)["bots"]:
        if bot["name"] == NAME:
            return bot["id"]
    bot = call("POST", endpoint + "/bot", token, {"Name": NAME, "ProfilePic": None})
    print("MADE", bot["id"])
    return bot["id"]


def main():
    endpoint, token = login()
    bot_id = find_or_make(endpoint, token)
    if "delete" in sys.argv:
        call("DELETE", endpoint + "/v1/bot/" + bot_id, token)
        print("DELETED", bot_id)
        return
    call("PUT", endpoint + "//v1/groups/" + GROUP_ID + "@1/BOT/", token, {"botIds": [bot_id]})
    bot_token = call("GET", endpoint + "/bot/accesstoken/" + bot_id + "/", token)
    print("SCOPES", bot_token["scope"])
    text = {"message": "Good morning, it’s the bot", "sendToAllSubscribers": False, "subscribers": None}
    posted = call("POST", endpoint + "/groups/" + GROUP_ID + "/messages/", bot_token["accessToken"], text)
    print("POSTED", posted["referenceId"])


main()
