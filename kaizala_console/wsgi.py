"""WSGI entry point: `granian --interface wsgi kaizala_console.wsgi:application`.

Two guards stand before Django, because they must hold under any server that is started by hand.
"""

import ipaddress
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kaizala_console.settings")

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def for_this_machine_only(inner: Application) -> Application:
    """Refuses every caller that is not on this machine: a sandbox signs anyone in as anyone."""

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if is_in(environ.get("REMOTE_ADDR", ""), ["127.0.0.0/8", "::1/128"]):
            return inner(environ, start_response)
        body = b"This console is a sandbox and answers on its own machine only.\n"
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response("403 Forbidden", headers)
        return [body]

    return guarded


def with_the_scheme_of_the_proxy(inner: Application, proxies: list[str]) -> Application:
    """Believes X-Forwarded-Proto from the given networks only; from anywhere else the header is dropped.

    Django's SECURE_PROXY_SSL_HEADER would believe everybody.
    """

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        scheme = environ.pop("HTTP_X_FORWARDED_PROTO", "").split(",")[-1].strip().lower()
        if scheme in {"http", "https"} and is_in(environ.get("REMOTE_ADDR", ""), proxies):
            environ["wsgi.url_scheme"] = scheme
        return inner(environ, start_response)

    return guarded


def is_in(address: str, networks: list[str]) -> bool:
    """Whether the address lies in one of the networks; an address that is none lies nowhere."""
    try:
        candidate = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    if isinstance(candidate, ipaddress.IPv6Address) and candidate.ipv4_mapped:
        candidate = candidate.ipv4_mapped
    return any(candidate in ipaddress.ip_network(network) for network in networks)


application = with_the_scheme_of_the_proxy(get_wsgi_application(), settings.TRUSTED_PROXIES)
if settings.SANDBOX:
    application = for_this_machine_only(application)
