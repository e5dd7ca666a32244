"""The peer of bench/peer.py: the smallest project in which django-oauth-toolkit trades tokens and guards a view.

Served like the console, with the settings of its database; run by bench/peer.py alone.
"""

import json
import os
from typing import Any

from django.conf import settings
from django.core.management.utils import get_random_secret_key

settings.configure(
    SECRET_KEY=get_random_secret_key(),
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    MIDDLEWARE=[],  # as on the console's wire: none of the pages'
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["PEER_DATABASE"],
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA mmap_size=134217728;"
                " PRAGMA journal_size_limit=27103364; PRAGMA cache_size=2000;",
            },
        }
    },
    # A refresh token that stays, as Kaizala's does: the cheaper of its two ways.
    OAUTH2_PROVIDER={"ROTATE_REFRESH_TOKEN": False, "PKCE_REQUIRED": False, "SCOPES": {"read": "Read"}},
)

# Settings come first: each of these reads them.
import django  # noqa: E402 - reads the settings above

django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - reads the settings above
from django.http import HttpRequest, JsonResponse  # noqa: E402 - as above
from django.urls import path  # noqa: E402 - as above
from oauth2_provider.decorators import protected_resource  # noqa: E402 - its models want `django.setup`
from oauth2_provider.views import TokenView  # noqa: E402 - as above


@protected_resource(scopes=["read"])
def me(request: HttpRequest) -> JsonResponse:
    """What `GET /v1/users/me` answers: four fields of the token's user."""
    user: Any = request.resource_owner  # type: ignore[attr-defined]  # set by the decorator
    return JsonResponse({"id": str(user.pk), "mobileNumber": user.username, "name": user.first_name, "profilePic": ""})


urlpatterns = [path("token/", TokenView.as_view()), path("me", me)]
application = get_wsgi_application()


TOKENS = 16  # each of the peer's is traded by one client at a time: it answers 500 to two at once


def prepare() -> dict[str, str]:
    """Three clients with tokens: one whose secret is hashed, as is usual, one in clear, one that never trades."""
    import datetime as dt

    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.utils import timezone
    from oauth2_provider.models import AccessToken, Application, RefreshToken

    call_command("migrate", verbosity=0)
    users: Any = get_user_model()  # Django's own, not the console's
    user = users.objects.create(username="+919820000001", first_name="Asha")
    facts: dict[str, str] = {}
    for name in ("hashed", "clear", "call"):
        client = Application(
            name=name,
            user=user,
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
            redirect_uris="https://client.example/",
            hash_client_secret=name == "hashed",
        )
        facts |= {f"{name}_id": client.client_id, f"{name}_secret": client.client_secret}
        client.save()
        for number in range(TOKENS):
            token = AccessToken.objects.create(
                user=user,
                application=client,
                token=f"access-{name}-{number}",
                scope="read",
                expires=timezone.now() + dt.timedelta(days=1),
            )
            RefreshToken.objects.create(
                user=user, application=client, token=f"refresh-{name}-{number}", access_token=token
            )
    return facts


if __name__ == "__main__":
    print(json.dumps(prepare()))
