"""Posts the shift plan to every group of a connector, as such programs were written in 2019.

KAIZALA_HOST=https://api.kaiza.la python shift_bot.py APPLICATION_ID APPLICATION_SECRET REFRESH_TOKEN
"""

import os
import sys

import requests

HOST = os.environ.get("KAIZALA_HOST", "https://api.kaiza.la")
APPLICATION_ID, APPLICATION_SECRET, REFRESH_TOKEN = sys.argv[1:4]


def get_access_token():
    url = HOST + "/v1/accessToken"
    headers = {
        "applicationId": APPLICATION_ID,
        "applicationSecret": APPLICATION_SECRET,
        "refreshToken": REFRESH_TOKEN,
        "Content-Type": "application/json",
    }
    response = requests.get(url, headers=headers, timeout=30)
    response.raise_for_status()
    answer = response.json()
    if answer["refreshToken"]:  # nearly over: keep the new one
        print("NEW REFRESH TOKEN")
    return answer["accessToken"], answer["endpointUrl"], answer["accessTokenExpiry"], answer["scope"].split(",")


def get_groups(endpoint, token):
    response = requests.get(
        endpoint + "/v1/groups?fetchAllGroups=true&showDetails=true", headers={"accessToken": token}, timeout=30
    )
    return response.json()["groups"]


def get_members(endpoint, token, group_id):
    # from the first samples, which had no /v1
    response = requests.get(
        endpoint + "/groups/" + group_id + "@1/members/", headers={"ACCESSTOKEN": token}, timeout=30
    )
    return response.json()["members"]


def post_message(endpoint, token, group_id, text):
    url = endpoint + "/" + "/v1/groups/" + group_id + "/messages/"
    payload = {"message": text, "sendToAllSubscribers": False, "subscribers": None}
    headers = {"AccessToken": token, "Content-Type": "application/json"}
    response = requests.post(url, data=str(payload).encode("utf-8"), headers=headers, timeout=30)
    if response.status_code == 401 and "Token validation failed due to unknown reason" in response.text:
        print("TOKEN OVER")
        sys.exit(1)
    return response.json()["referenceId"]


def main():
    token, endpoint, expiry, scopes = get_access_token()
    print("SCOPES", len(scopes), "UNTIL", expiry)
    me = requests.get(endpoint + "/v1/users/me/", headers={"accesstoken": token}, timeout=30).json()
    print("I AM", me["name"], me["mobileNumber"])
    for group in get_groups(endpoint, token):
        members = get_members(endpoint, token, group["groupId"])
        print("GROUP", group["groupName"], group["callerRole"], group["userCount"], len(members))
        text = 'It’s your "shift plan" \\ für heute\n' + ", ".join(member["name"] for member in members)
        print("POSTED", group["groupId"], post_message(endpoint, token, group["groupId"], text))


main()
