"""The only door to the outside.

Where a URL came from a person or a program (webhooks, media, logos), the server must not become their way
into our network. requests-hardened resolves the name once, checks the address, and connects to exactly that
address, so a second answer of the name server changes nothing (DNS rebinding). On top of it: https only,
sensible ports, no redirects, no proxies from the environment, bounded time and bounded bodies.

``fetch`` returns a small answer whole, ``download`` hands a large one on in pieces,
``post_for_status`` wants the status.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import requests
import requests.adapters
import urllib3
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from requests_hardened import Config, HTTPSession
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter

from kaizala_console.lib import deadlines
from kaizala_console.lib.deadlines import Deadline
from kaizala_console.lib.errors import ConsoleError

_USER_AGENT: Final = "Kaizala-Console"
_LONGEST_URL: Final = 2048
_CHUNK: Final = 65_536
_MEBIBYTE: Final = 1024 * 1024
_OK: Final = 200
_HTTPS_PORT: Final = 443
_FIRST_UNPRIVILEGED_PORT: Final = 1024
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_NO_ADDRESS: Final = _("This is not an address that can be called. It begins with https:// and names a host.")
_HTTPS_ONLY: Final = _("Only addresses that begin with https:// are called.")
_TIMEOUT: Final = _("The other side did not answer in time.")


class OutboundError(ConsoleError):
    """A call to the outside gave no answer. ``code`` (and ``reason``) says why:

    ``refused`` by our own rules, before anything was sent; ``unreachable``; ``timeout``; ``tls``;
    ``too_large``; ``protocol`` (what came back is not HTTP).
    """

    def __init__(self, reason: str, message: Any) -> None:
        super().__init__(message, code=reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class OutboundResponse:
    """What came back, whatever its status. ``is_whole`` and ``seconds`` (to the headers) are of ``post_for_status``."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool = True
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """The body as UTF-8, with U+FFFD where it is none."""
        return self.body.decode("utf-8", "replace")


def fetch(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    data: Any = None,
    json: Any = None,
    timeout: tuple[float, float] = (5, 10),
    deadline: float = 20,
    max_bytes: int = _MEBIBYTE,
) -> OutboundResponse:
    """Send one request and return the answer, of any status; a redirect is an answer like any other.

    ``timeout`` is (connect, between two bytes) and ``deadline`` the whole call, in seconds; ``max_bytes``
    bounds the body after decompression. Raises OutboundError and nothing else.
    """
    request = {"headers": headers, "params": params, "data": data, "json": json, "timeout": timeout}
    with _call(method, url, deadline, **request) as (response, end):
        body = b"".join(_pieces(response, end, max_bytes=max_bytes))
        return OutboundResponse(response.status_code, response.headers, body)


def post_for_status(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    data: Any = None,
    timeout: tuple[float, float] = (5, 10),
    deadline: float = 20,
    body_seconds: float = 2,
    max_bytes: int = 16_384,
) -> OutboundResponse:
    """POST for the sake of the status, and look at how the body begins.

    The answer counts as soon as its headers are there. Of the body it has what came within ``body_seconds`` and
    ``max_bytes``, as it was sent: nothing is decompressed, and whatever goes wrong with it, the status stands.
    ``is_whole`` says whether that was all. Raises OutboundError, as ``fetch``, when there is no status.
    """
    began = time.monotonic()
    headers = {**(headers or {}), "Accept-Encoding": "identity"}
    with _call("POST", url, deadline, headers=headers, data=data, timeout=timeout) as (response, end):
        seconds = time.monotonic() - began
        _require_time(end)
        body, is_whole = _beginning(response, end, seconds=body_seconds, most=max_bytes)
        return OutboundResponse(response.status_code, response.headers, body, is_whole, seconds)


def download(
    url: str,
    write: Callable[[bytes], object],
    *,
    timeout: tuple[float, float] = (5, 10),
    deadline: float = 30,
    max_bytes: int,
) -> OutboundResponse:
    """GET a file and hand it to ``write`` in pieces, never holding all of it. The answer's body is empty.

    Only what a 200 carries is handed on; of any other answer, a redirect among them, only status and headers are
    read. The bounds are those of ``fetch``. Raises OutboundError, after which some of the file may have been handed
    on, and what ``write`` raises, which must be no OSError.
    """
    with _call("GET", url, deadline, headers={"Accept": "*/*"}, timeout=timeout) as (response, end):
        if response.status_code == _OK:
            for piece in _pieces(response, end, max_bytes=max_bytes):
                write(piece)
        _require_time(end)
        return OutboundResponse(response.status_code, response.headers, b"")


@contextmanager
def _call(method: str, url: str, seconds: float, **request: Any) -> Iterator[tuple[requests.Response, Deadline]]:
    """Send one request. What goes wrong, also while the block reads the answer, is raised as OutboundError."""
    with deadlines.deadline(seconds) as end:
        try:
            with session() as opened, opened.request(method, url, stream=True, **request) as response:
                yield response, end
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError, OSError) as problem:
            raise (OutboundError("timeout", _TIMEOUT) if end.is_over else _translated(problem)) from None


def _require_time(end: Deadline) -> None:
    """Raise OutboundError when what was read, headers or body, ended because we hung up."""
    if end.is_over:
        raise OutboundError("timeout", _TIMEOUT)


def session() -> requests.Session:
    """Return a session under the same rules, for SDKs that want one; it raises the exceptions of requests."""
    return _SafeSession()


class RefusedURL(requests.exceptions.InvalidURL):
    """Our own rules forbid this URL. Its text is for the person who entered it."""


class _GlobalAddressesAdapter(IPFilterAdapter):
    """Lets pass only what is reachable for everybody, a little stricter than the filter it extends."""

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        build = super().build_connection_pool_key_attributes
        host, pool = deadlines.resolve_in_time(lambda: build(request, verify, cert))
        address = ip_address(host["host"].strip("[]"))
        is_site_local = isinstance(address, IPv6Address) and address.is_site_local
        if not address.is_global or address.is_reserved or address.is_multicast or is_site_local:
            raise InvalidIPAddress(address)
        return host, pool


class _LoopbackAdapter(IPFilterAdapter):
    """Lets pass only this machine."""

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        address = ip_address(host["host"].strip("[]"))
        if not address.is_loopback:
            raise InvalidIPAddress(address)
        return host, pool


class _SafeSession(HTTPSession):
    def __init__(self) -> None:
        super().__init__(
            Config(
                ip_filter_enable=True,
                ip_filter_allow_loopback_ips=False,
                never_redirect=True,
                default_timeout=(5, 10),
                user_agent_override=_USER_AGENT,
            )
        )
        # Else a proxy of the environment would resolve the name again, behind our back.
        self.trust_env = False
        self.verify = settings.CA_BUNDLE or True
        self._outside = _GlobalAddressesAdapter(is_https_proto=True)
        self._allowed = requests.adapters.HTTPAdapter()
        self._loopback = {
            scheme: _LoopbackAdapter(is_https_proto=scheme == "https", allow_loopback=True)
            for scheme in ("http", "https")
        }
        self.adapters.clear()
        for adapter in self._ways():
            deadlines.watch_connections(adapter.poolmanager)

    def get_adapter(self, url: str) -> Any:
        """Choose the way by where the URL leads; the only place that decides. Raises RefusedURL."""
        if len(url) > _LONGEST_URL:
            raise RefusedURL(_("This address is too long."))
        parts = _split(url)
        host = parts.hostname or ""
        if _is_allowed(host, _port(parts)):
            return self._allowed
        if settings.SANDBOX and host in _LOOPBACK_NAMES:
            return self._loopback[parts.scheme]
        if parts.scheme != "https":
            raise RefusedURL(_HTTPS_ONLY)
        if _port(parts) != _HTTPS_PORT and _port(parts) < _FIRST_UNPRIVILEGED_PORT:
            raise RefusedURL(_("Only port 443 and ports from 1024 on are called."))
        return self._outside

    def resolve_redirects(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Follow nothing. Even to say where it would go on, requests reads the whole body of a redirect, unbounded."""
        return iter(())

    def close(self) -> None:
        for adapter in self._ways():
            adapter.close()

    def _ways(self) -> list[requests.adapters.HTTPAdapter]:
        return [self._outside, self._allowed, *self._loopback.values()]


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _port(parts)  # raises when it is no number
    except ValueError:
        raise RefusedURL(_NO_ADDRESS) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RefusedURL(_NO_ADDRESS)
    if parts.username is not None or parts.password is not None:
        raise RefusedURL(_("Please leave user name and password out of the address."))
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _is_allowed(host: str, port: int) -> bool:
    for entry in settings.SAFE_HTTP_ALLOWED_HOSTS:
        allowed = urlsplit(f"//{entry}")
        if allowed.hostname == host and allowed.port in (None, port):
            return True
    return False


def _pieces(response: requests.Response, end: Deadline, *, max_bytes: int) -> Iterator[bytes]:
    """Read what arrives, piece by piece, so that neither a slow drip nor a small archive of zeros gets far."""
    declared = response.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    size = 0
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        if time.monotonic() > end.ends:
            raise OutboundError("timeout", _TIMEOUT)
        yield chunk
    _require_time(end)


def _beginning(response: requests.Response, end: Deadline, *, seconds: float, most: int) -> tuple[bytes, bool]:
    """How the body begins, and whether that is all of it."""
    if response.raw.length_remaining == 0:
        return b"", True
    end.within(seconds)
    found = bytearray()
    try:
        while len(found) < most and time.monotonic() < end.ends:
            piece = response.raw.read1(most - len(found), decode_content=False)
            if not piece:
                return bytes(found), not end.is_over
            found += piece
    except (urllib3.exceptions.HTTPError, OSError):
        return bytes(found), False  # it broke off: what had come is what there is
    return bytes(found), False


def _too_large(max_bytes: int) -> OutboundError:
    message = _("The other side sent more than %(limit)s kB.") % {"limit": max_bytes // 1024}
    return OutboundError("too_large", message)


def _translated(problem: Exception) -> OutboundError:
    """Turn what the transport raises into the one error, without the URL: it may hold a secret."""
    match problem:
        case RefusedURL():
            return OutboundError("refused", problem.args[0])
        case InvalidIPAddress():
            return OutboundError("refused", _("This address leads into a private network, where we do not call."))
        case requests.exceptions.InvalidURL() | requests.exceptions.MissingSchema() | UnicodeError():
            return OutboundError("refused", _NO_ADDRESS)
        case requests.exceptions.InvalidSchema():
            return OutboundError("refused", _HTTPS_ONLY)
        case requests.exceptions.Timeout() | urllib3.exceptions.TimeoutError() | TimeoutError():
            return OutboundError("timeout", _TIMEOUT)
        case requests.exceptions.SSLError() | urllib3.exceptions.SSLError():
            return OutboundError("tls", _("The other side has no certificate that we can trust."))
        case requests.exceptions.ConnectionError() | urllib3.exceptions.NewConnectionError():
            return OutboundError("unreachable", _("The other side cannot be reached."))
    return OutboundError("protocol", _("The other side did not answer in HTTP."))
