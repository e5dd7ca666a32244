"""The secrets of a connector: how they are used, adding a second one, revoking one. For owners."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.views.decorators import require_reauthentication, signed_in, user_of, with_phone
from connectors.models import Connector, ConnectorSecret
from connectors.queries import connectors
from connectors.services import one_time_secrets as one_time_secret_service
from connectors.services import secrets as secret_service
from connectors.token_format import CredentialKind
from connectors.views import links, one_time_secrets
from connectors.views.forms import (
    LEAKED,
    UNUSED,
    RevokeSecretForm,
    SecretEndForm,
    flash_refusals,
    get_idempotency_key,
    get_posted,
    last_day,
    show_refusals,
)
from connectors.views.usage import get_use_facts
from kaizala_console.lib import clock, moments
from kaizala_console.lib.errors import Conflict, RuleBroken

PRESS = gettext_lazy("Add secret")
OVER = ("revoked", "ended")


@require_GET
@signed_in
def secrets(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """What is known about each secret; the secrets themselves are not kept."""
    return _page(request, connector_id, SecretEndForm())


def _page(request: HttpRequest, connector_id: UUID, form: SecretEndForm, *, status: int = 200) -> HttpResponse:
    connector, context = links.get_own(user_of(request), connector_id, "credentials")
    rows = [_row(secret) for secret in connectors.list_secrets(connector)]
    live = [row for row in rows if row["state"] == "live"]
    context |= {
        "rows": rows,
        "form": form,
        "can_add": len([row for row in rows if row["state"] not in OVER]) < len(secret_service.SLOTS),
        "silent": _silent(live),
        "leaks": list(connectors.list_open_leak_reports(Q(connector=connector))),
        "idempotency_key": one_time_secret_service.new_form_key(),
        "key": connector.keys.live().first(),
    }
    return render(request, "connectors/credentials.html", context, status=status)


@sensitive_post_parameters("idempotency_key")
@require_POST
@with_phone(button_label=PRESS)
@sensitive_variables("idempotency_key", "token")
def add(request: HttpRequest, connector_id: UUID) -> HttpResponse:
    """ "Add secret": a second one beside the first, shown once."""
    user = user_of(request)
    connector = connectors.get_own_connector(user, connector_id)
    idempotency_key = get_idempotency_key(request.POST)
    form = SecretEndForm(request.POST)
    if not form.is_valid():
        return _page(request, connector_id, form, status=400)
    one_time_secrets.require_reauthentication_once(request, idempotency_key)
    try:
        secret, token = secret_service.add(
            connector=connector, by=user, ends_at=form.ends_at(), idempotency_key=idempotency_key
        )
    except (Conflict, RuleBroken) as refused:
        messages.error(request, str(refused))
        return redirect("connectors:credentials", connector_id)
    return one_time_secrets.page(request, one_time_secrets.describe_secret(secret), token, idempotency_key)


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Save"))
def end_date(request: HttpRequest, connector_id: UUID, secret_id: int) -> HttpResponse:
    """GET shows until when a live secret works, POST sets another day, or none."""
    user = user_of(request)
    secret = connectors.get_own_secret(user, connector_id, secret_id)
    if not secret.is_live(clock.now()):
        messages.info(request, _why_over(secret))
        return redirect("connectors:credentials", connector_id)
    chosen = last_day(secret.expires_at)
    form = SecretEndForm(get_posted(request), initial={"end_date": chosen})
    if form.is_valid():
        require_reauthentication(request)
        same_day = form.cleaned_data["end_date"] == chosen
        with show_refusals(form, "end_date"):
            moved = secret_service.move_end(
                secret=secret, ends_at=secret.expires_at if same_day else form.ends_at(), by=user
            )
            messages.success(request, _until(moved))
            return redirect("connectors:credentials", connector_id)
    context = {
        "connector": secret.connector,
        "secret": secret,
        "form": form,
        "crumbs": links.connector_crumbs(secret.connector, "credentials", here=_("End date of a secret")),
    }
    return render(request, "connectors/secret_end_date.html", context, status=400 if form.is_bound else 200)


def _why_over(secret: ConnectorSecret) -> str:
    if secret.revoked_at:
        return _("This secret is already revoked.")
    if secret.reported_at:
        return _("This secret was reported as leaked. Revoke or restore it first.")
    return _("This secret has already ended. Add another one.")


def _until(secret: ConnectorSecret) -> str:
    if secret.expires_at is None:
        return _("Secret %(slot)s has no end date.") % {"slot": secret.slot}
    return _("Secret %(slot)s ends %(when)s.") % {
        "slot": secret.slot,
        "when": moments.exact(secret.expires_at),
    }


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Revoke"))
def revoke(request: HttpRequest, connector_id: UUID, secret_id: int) -> HttpResponse:
    """GET tells what would happen, POST with the connector's name does it. Twice is once."""
    user = user_of(request)
    secret = connectors.get_own_secret(user, connector_id, secret_id)
    if secret.revoked_at:
        messages.info(request, _("This secret is already revoked."))
        return redirect("connectors:credentials", connector_id)
    why = LEAKED if secret.reported_at else UNUSED
    form = RevokeSecretForm(get_posted(request), initial={"why": why}, name=secret.connector.name)
    if form.is_valid():
        require_reauthentication(request)
        with flash_refusals(request):
            secret_service.revoke(secret=secret, by=user, end_access_tokens=form.end_access_tokens)
            messages.success(request, _("Secret revoked: the next exchange with it is refused."))
        return redirect("connectors:credentials", connector_id)
    connector = secret.connector
    others = ConnectorSecret.objects.live(clock.now()).filter(connector=connector).exclude(pk=secret.pk)
    is_last = not others.exists()
    context = {
        "connector": connector,
        "row": _row(secret),
        "form": form,
        "is_last": is_last,
        **(_what_stops(connector) if is_last else {}),
        "crumbs": links.connector_crumbs(connector, "credentials", here=_("Revoke a secret")),
    }
    return render(request, "connectors/revoke_secret.html", context, status=400 if form.is_bound else 200)


def _what_stops(connector: Connector) -> dict[str, Any]:
    """Without any secret nothing of the connector goes on for longer than an access token lives."""
    use = get_use_facts(connector, webhooks=False)
    counts = connectors.count_stopping(connector)
    facts = [
        {"label": _("live refresh tokens"), "count": counts.live_tokens},
        {"label": _("groups"), "count": counts.groups},
        *use.pop("use_facts"),
    ]
    return {"facts": facts, **use}


def _row(secret: ConnectorSecret) -> dict[str, Any]:
    now = clock.now()
    ended = secret.expires_at is not None and secret.expires_at <= now
    return {
        "secret": secret,
        "begins": f"{CredentialKind.SECRET.value}{secret.public_part}",
        "state": "revoked" if secret.revoked_at else "leaked" if secret.reported_at else "ended" if ended else "live",
    }


def _silent(live: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The older of two secrets, when the program has evidently moved to the newer one: it uses that now, and has not
    gone back since.
    """
    if len(live) < len(secret_service.SLOTS):
        return None
    older, newer = sorted((row["secret"] for row in live), key=lambda secret: secret.created_at)
    heard, now = older.last_used_at or older.created_at, clock.now()
    days = dt.timedelta(days=settings.SECRET_SILENT_DAYS)
    has_moved = newer.last_used_at is not None and newer.last_used_at > max(heard, now - days)
    return {"secret": older, "days": (now - heard).days} if has_moved and now - heard >= days else None
