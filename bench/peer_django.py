"""Two peers of the console in one project: a bare Django view, and django-oauth-toolkit. Run by bench/servers.py alone.

The bare views are what Django costs at the least: one indexed SELECT by the ORM, one HMAC and a JSON answer; or one
INSERT in a transaction. django-oauth-toolkit trades a refresh token and guards a view.
"""

import datetime as dt
import hmac
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
    DATABASES={"default": json.loads(os.environ["PEER_DATABASE"])},
    # A refresh token that stays, as Kaizala's does: the cheaper of its two ways.
    OAUTH2_PROVIDER={"ROTATE_REFRESH_TOKEN": False, "PKCE_REQUIRED": False, "SCOPES": {"read": "Read"}},
)

# Settings come first: each of these reads them.
import django  # noqa: E402 - reads the settings above

django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - reads the settings above
from django.db import connection, models, transaction  # noqa: E402 - as above
from django.http import HttpRequest, JsonResponse  # noqa: E402 - as above
from django.urls import path  # noqa: E402 - as above
from oauth2_provider.decorators import protected_resource  # noqa: E402 - its models want `django.setup`
from oauth2_provider.views import TokenView  # noqa: E402 - as above

KEY = b"bench" * 8
TOKEN = "4pQ1xYz0Ab3dE5fG" + "9xZ" * 14
TOKENS = 16  # each of the toolkit's is traded by one client at a time: it answers 500 to two at once


class Token(models.Model):
    """Found by its public part, checked against a digest."""

    objects: Any = models.Manager()
    public_part = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "bench"


class Note(models.Model):
    """What a message is at the least."""

    objects: Any = models.Manager()
    text = models.TextField()
    sent_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "bench"


def read(request: HttpRequest) -> JsonResponse:
    """One SELECT, one HMAC."""
    token = request.headers["X-Token"]
    row = Token.objects.get(public_part=token[:16])
    known = hmac.compare_digest(hmac.digest(KEY, token.encode(), "sha256").hex(), row.digest)
    return JsonResponse({"known": known, "name": row.name}, status=200 if known else 401)


def write(request: HttpRequest) -> JsonResponse:
    """One INSERT in a transaction."""
    with transaction.atomic():
        note = Note.objects.create(text=json.loads(request.body)["message"])
    return JsonResponse({"id": note.pk})


@protected_resource(scopes=["read"])
def me(request: HttpRequest) -> JsonResponse:
    """What `GET /v1/users/me` answers: four fields of the token's user."""
    user: Any = request.resource_owner  # type: ignore[attr-defined]  # set by the decorator
    return JsonResponse({"id": str(user.pk), "mobileNumber": user.username, "name": user.first_name, "profilePic": ""})


urlpatterns = [path("read", read), path("write", write), path("token/", TokenView.as_view()), path("me", me)]
application = get_wsgi_application()


def prepare() -> dict[str, str]:
    """The rows; and a client of the toolkit with its tokens, whose secret is not hashed: that alone takes 80 ms."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.utils import timezone
    from oauth2_provider.models import AccessToken, Application, RefreshToken

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Token)
        editor.create_model(Note)
    Token.objects.bulk_create(Token(public_part=f"{number:016d}", digest="0" * 64, name="") for number in range(10_000))
    digest = hmac.digest(KEY, TOKEN.encode(), "sha256").hex()
    Token.objects.create(public_part=TOKEN[:16], digest=digest, name="Asha")
    people: Any = get_user_model().objects
    user = people.create(username="+919820000001", first_name="Asha")
    client = Application(
        name="bench",
        user=user,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris="https://client.example/",
        hash_client_secret=False,
    )
    facts = {"client_id": client.client_id, "client_secret": client.client_secret, "token": TOKEN}
    client.save()
    for number in range(TOKENS + 1):  # the last is for calls alone: an exchange ends the one before
        token = AccessToken.objects.create(
            user=user,
            application=client,
            token=f"access-{number}",
            scope="read",
            expires=timezone.now() + dt.timedelta(days=1),
        )
        RefreshToken.objects.create(user=user, application=client, token=f"refresh-{number}", access_token=token)
    return facts


if __name__ == "__main__":
    print(json.dumps(prepare()))
