"""Announces something, likes and comments on it, and prints what people thought of everything. Written in 2018.

KAIZALA_HOST=https://api.kaiza.la python applause.py APPLICATION_ID APPLICATION_SECRET REFRESH_TOKEN GROUP_ID
"""

import os
import sys

import requests

HOST = os.environ.get("KAIZALA_HOST", "https://api.kaiza.la")
APPLICATION_ID, APPLICATION_SECRET, REFRESH_TOKEN, GROUP_ID = sys.argv[1:5]


def login():
    headers = {"applicationId": APPLICATION_ID, "applicationSecret": APPLICATION_SECRET, "refreshToken": REFRESH_TOKEN}
    answer = requests.get(HOST + "/v1/accessToken", headers=headers, timeout=30).json()
    return answer["endpointUrl"] + "/groups/" + GROUP_ID, {"ACCESSTOKEN": answer["accessToken"]}


def post(url, headers, payload):
    response = requests.post(url, data=str(payload).encode("utf-8"), headers=headers, timeout=30)
    response.raise_for_status()
    return response.json()


def get(url, headers):
    response = requests.get(url, headers=headers, timeout=30)
    response.raise_for_status()
    return response.json()


def everything(url, headers, name):
    # until nothing comes any more
    cursor = 0
    while True:
        page = get(url + "&cursor=" + str(cursor), headers)
        if not page[name]:
            return
        yield from page[name]
        cursor = page["cursor"]


def main():
    group, headers = login()
    reference = post(group + "/messages", headers, {"message": "The canteen opens at six"})["referenceId"]
    reaction = {"referenceId": reference, "sourceGroupId": GROUP_ID + "@1", "reactionType": "like", "comment": None}
    first, second = (post(group + "/reaction/", headers, reaction)["reactionId"] for _ in range(2))
    print("SAME LIKE", first == second)
    for number in range(60):
        comment = {"referenceid": reference, "reactiontype": "Comment", "Comment": "it’s " + str(number) + " \\ 'fine'"}
        post(group + "/Reaction", headers, comment)
    source = "?sourceGroupId=" + GROUP_ID
    comments = [
        item["comment"]
        for item in everything(
            group + "/reaction/" + reference + "/" + source + "&reactionType=comment", headers, "reactionDetails"
        )
    ]
    print("COMMENTS", len(comments), len(set(comments)), comments[-1])
    counts = get(group + "/reaction/" + reference + "/Summary" + source, headers)["summary"][0]["reactionsCountMap"]
    print("COUNTS", counts["like"], counts["comment"])
    for item in everything(group + "/reaction/summary/" + source, headers, "summary"):
        print("SUMMARY", item["referenceId"] == reference, item["reactionsCountMap"]["comment"])


main()
