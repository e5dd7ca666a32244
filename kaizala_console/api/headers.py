"""Credentials travel in headers (wire protocol §2 and §4)."""

from __future__ import annotations

from django.http import HttpRequest

from kaizala_console.api import compatibility
from kaizala_console.api.compatibility import CompatibilityQuirk
from kaizala_console.api.errors import TokenMissing


def header(request: HttpRequest, name: str) -> str:
    """Return the header ``name``, in whatever case it came; "" when it is absent or blank."""
    return _once(request.META.get(f"HTTP_{name.upper().replace('-', '_')}", ""))


def access_token(request: HttpRequest) -> str:
    """Return the access token from ``accessToken``, else from ``Authorization: Bearer``. Raises TokenMissing."""
    token = _once(request.META.get("HTTP_ACCESSTOKEN", ""))
    if token:
        compatibility.note_quirk(request, CompatibilityQuirk.TOKEN_HEADER)
    else:
        scheme, _space, rest = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        token = rest.strip() if scheme.lower() == "bearer" else ""
    if not token:
        raise TokenMissing
    return token


def _once(value: str) -> str:
    """A header that came several times is joined by commas; as .NET does, where a client adds it at every call."""
    first, comma, rest = value.partition(",")
    first = first.strip()
    same = comma and all(each.strip() == first for each in rest.split(","))
    return first if same and first else value.strip()
