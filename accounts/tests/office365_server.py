"""A local OpenID provider in the place of Office365: oidc-provider-mock, with PKCE enforced, on a loopback port.

The mock issues real signed id tokens for the authorization code flow; it does not check PKCE, so the layer around it
does (RFC 7636 §4.6), as Entra would.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import authlib.deprecate
import requests
import werkzeug.serving

with warnings.catch_warnings():
    # The library beneath the mock warns of its own age, and insists.
    warnings.simplefilter("ignore", authlib.deprecate.AuthlibDeprecationWarning)
    import oidc_provider_mock

StartResponse = Callable[..., Any]


@dataclass
class Office365:
    """The provider, as a person's browser and the console meet it."""

    base_url: str = ""
    token_requests: list[dict[str, str]] = field(default_factory=list)
    token_answers: list[str] = field(default_factory=list)
    forge: Callable[[str], str] | None = None  # what happens to id tokens on their way
    audience: str = ""  # when set, id tokens are made out to this program, whoever asks

    def add_person(self, sub: str, claims: dict[str, Any]) -> None:
        """Makes somebody who can sign in; `claims` go into their id tokens."""
        requests.put(f"{self.base_url}/users/{sub}", json=claims, timeout=10).raise_for_status()

    def sign_in(self, authorize_url: str, sub: str) -> str:
        """What the person's browser does there: signs in, and is sent back to the returned address."""
        return self._answer(authorize_url, {"sub": sub})

    def refuse(self, authorize_url: str) -> str:
        """The person presses "Cancel"."""
        # The mock forgets the state, which RFC 6749 §4.1.2.1 wants back.
        state = parse_qs(urlsplit(authorize_url).query)["state"][0]
        return f"{self._answer(authorize_url, {'action': 'deny'})}&state={state}"

    def _answer(self, authorize_url: str, form: dict[str, str]) -> str:
        answer = requests.post(authorize_url, data=form, allow_redirects=False, timeout=10)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]


class _Pkce:
    """Remembers each code's challenge, and lets nobody have a token without the verifier."""

    def __init__(self, provider: Any, office365: Office365) -> None:
        self.provider, self.office365 = provider, office365
        self.challenges: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        is_token_request = environ["PATH_INFO"].endswith("/oauth2/token")
        if is_token_request:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            self.office365.token_requests.append(form)
            body = urlencode({**form, **self._made_out_to()}).encode()
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if self.challenges.get(form.get("code", "")) not in {challenge, None}:
                self.office365.token_answers.append("400 PKCE")
                start_response("400 Bad Request", [("Content-Type", "application/json")])
                return [b'{"error": "invalid_grant", "error_description": "PKCE verification failed"}']
        asked = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        if "client_id" in asked:
            environ["QUERY_STRING"] = urlencode({**asked, **self._made_out_to()})

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            if is_token_request:
                self.office365.token_answers.append(status)
            location = dict(headers).get("Location", "")
            code = parse_qs(urlsplit(location).query).get("code")
            if code and asked.get("code_challenge_method") == "S256":
                self.challenges[code[0]] = asked["code_challenge"]
            if is_token_request and self.office365.forge:
                headers = [(name, value) for name, value in headers if name != "Content-Length"]
            return start_response(status, headers, *rest)

        answer = self.provider(environ, start)
        if is_token_request and self.office365.forge:
            return [self._forged(b"".join(answer), self.office365.forge)]
        return answer

    @staticmethod
    def _forged(body: bytes, forge: Callable[[str], str]) -> bytes:
        answer = json.loads(body)
        answer["id_token"] = forge(answer["id_token"])
        return json.dumps(answer).encode()

    def _made_out_to(self) -> dict[str, str]:
        return {"client_id": self.office365.audience} if self.office365.audience else {}


@contextmanager
def running(*, token_lifetime: timedelta = timedelta(hours=1)) -> Iterator[Office365]:
    """Serves on a free loopback port until the block ends; `token_lifetime` may be negative."""
    office365 = Office365()
    provider = oidc_provider_mock.app(access_token_max_age=token_lifetime)
    provider.debug = False
    server = werkzeug.serving.make_server("127.0.0.1", 0, _Pkce(provider, office365), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    office365.base_url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield office365
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
