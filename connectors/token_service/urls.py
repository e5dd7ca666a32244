"""The Token Service's table of contents (wire protocol §4)."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from connectors.token_service.access_token import exchange, warm_token
from connectors.token_service.claim import claim
from connectors.token_service.description import read_description
from connectors.token_service.leak_report import report
from connectors.token_service.oauth_token import token
from connectors.token_service.pin_login import generate_pin, login
from kaizala_console.api.endpoint import resource
from kaizala_console.api.routing import console_page

urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/accessToken", resource(GET=exchange)),
    path("v1/accessToken/warm", resource(GET=warm_token)),
    path("v1/generatePin", resource(POST=generate_pin)),
    path("v1/loginWithPinAndApplicationId", resource(POST=login)),
    path("api/oauth/authorize", console_page),
    path("api/oauth/token", resource(POST=token)),
    path("v1/credentials/report", resource(POST=report)),
    path("v1/handoffs/claim", resource(POST=claim)),
    path("v1/openapi.json", resource(GET=read_description)),
]
