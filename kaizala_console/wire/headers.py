"""Credentials travel in headers (wire protocol §2 and §4)."""

from __future__ import annotations

from django.http import HttpRequest

from kaizala_console.wire.errors import TokenMissing


def header(request: HttpRequest, name: str) -> str:
    """Return the header ``name``, in whatever case it came; "" when it is absent or blank."""
    value: str = request.META.get(f"HTTP_{name.upper().replace('-', '_')}", "")
    return value.strip()


def access_token(request: HttpRequest) -> str:
    """Return the access token from ``accessToken``, else from ``Authorization: Bearer``. Raises TokenMissing."""
    token: str = request.META.get("HTTP_ACCESSTOKEN", "").strip()
    if not token:
        scheme, _space, rest = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        token = rest.strip() if scheme.lower() == "bearer" else ""
    if not token:
        raise TokenMissing
    return token
