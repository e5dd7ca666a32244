"""Takes the code that a clinic's browser came back with, and greets whoever signed in. Written in 2020.

KAIZALA_HOST=https://api.kaiza.la python clinic_login.py APPLICATION_ID APPLICATION_SECRET CODE REDIRECT_URL
"""

import os
import sys

import requests

HOST = os.environ.get("KAIZALA_HOST", "https://api.kaiza.la")


def main():
    form = {"client_id": sys.argv[1], "client_secret": sys.argv[2], "code": sys.argv[3], "redirect_uri": sys.argv[4]}
    given = requests.post(HOST + "/api/Oauth/Token/", data=form, timeout=30).json()
    print("SCOPES", given["scope"].count(","), given["accessTokenExpiry"] > 1500000000000)
    headers = {"applicationId": sys.argv[1], "applicationSecret": sys.argv[2], "refreshToken": given["refreshToken"]}
    for token in (
        given["accessToken"],
        requests.get(HOST + "/v1/accesstoken", headers=headers, timeout=30).json()["accessToken"],
    ):
        me = requests.get(given["endpointUrl"] + "/v1/users/me", headers={"accessToken": token}, timeout=30).json()
        print("HELLO", me["name"])
    again = requests.post(HOST + "/api/oauth/token", data=form, timeout=30)
    print("AGAIN", again.status_code, again.json()["errorCode"])


main()
