"""Connectors: registered, changed, and their three ends told apart: deactivate, suspend, delete."""

from __future__ import annotations

import datetime as dt
import hashlib
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import User
from accounts.policies import require_no_credential_hold
from connectors import policies
from connectors.models import AccessRequest, Connector, ConnectorLogo, ConnectorSecret, Grant, UserTokenRequest
from connectors.permissions import Permission, to_stored
from connectors.services import one_time_secrets, owners, refresh_tokens, secrets
from kaizala_console.lib import clock, pictures, web_address
from kaizala_console.lib.errors import Conflict, NotAllowed, NotFound, RuleBroken


@sensitive_variables("idempotency_key", "token", "shown")
@transaction.atomic
def create(
    *,
    owner: User,
    name: str,
    description: str = "",
    home_page: str = "",
    redirect_urls: Iterable[str] = (),
    permissions: Iterable[str],
    by: User,
    secret_ends_at: dt.datetime | None = None,
    idempotency_key: str = "",
) -> tuple[Connector, str]:
    """Register a connector with its first secret; return both, the secret as text that is not kept.

    The secret ends by itself at `secret_ends_at`. With an `idempotency_key` the same form sent again (a double click, a
    lost answer) gets the same connector and secret. Raises RuleBroken, naming the field, for what cannot be; NotAllowed
    for an account that is switched off or would register for somebody else.
    """
    if owner.pk != by.pk or not by.is_active:
        raise NotAllowed
    require_no_credential_hold(by)
    if idempotency_key:
        one_time_secrets.require_form_key(idempotency_key)
        # Creations by one account take turns, so that a double click finds what the first click made.
        User.objects.select_for_update(no_key=True).get(pk=owner.pk)
        present = Connector.objects.present()
        shown = one_time_secrets.recall_with_subject(user=by, idempotency_key=idempotency_key, among=present)
        if shown is not None:
            secrets.note_viewed(connector=shown[0], token=shown[1], by=by)
            return shown
    chosen = check_details(
        name=name,
        description=description,
        home_page=home_page,
        redirect_urls=redirect_urls,
        permissions=permissions,
    )
    now = clock.now()
    secrets.require_end_ahead(secret_ends_at, now)
    connector = Connector(
        organisation=owner.organisation, owner=owner, created_at=now, **_columns(chosen), permissions=chosen.permissions
    )
    _save_under_its_name(connector, force_insert=True)
    record(
        EventType.CONNECTOR_CREATED,
        by=by,
        subject=connector,
        after={**_columns(chosen), "permissions": to_stored(chosen.permissions)},
    )
    _secret, token = secrets.issue(connector=connector, slot=secrets.SLOTS[0], by=by, at=now, ends_at=secret_ends_at)
    if idempotency_key:
        one_time_secrets.remember(user=by, idempotency_key=idempotency_key, subject=connector, token=token)
    return connector, token


@transaction.atomic
def update(
    *,
    connector: Connector,
    by: User,
    name: str | None = None,
    description: str | None = None,
    home_page: str | None = None,
    redirect_urls: Iterable[str] | None = None,
) -> Connector:
    """Change what the connector says about itself; what is None stays.

    Raises NotFound and RuleBroken, also for a further redirect URL while `by` cools off.
    """
    connector = Connector.objects.get_locked(connector.pk)
    policies.require_owner(by, connector)
    before = {column: getattr(connector, column) for column in ("name", "description", "home_page", "redirect_urls")}
    chosen = check_details(
        name=connector.name if name is None else name,
        description=connector.description if description is None else description,
        home_page=connector.home_page if home_page is None else home_page,
        redirect_urls=connector.redirect_urls if redirect_urls is None else redirect_urls,
        permissions=connector.permissions,
    )
    after = _columns(chosen)
    changed = [column for column, value in after.items() if value != before[column]]
    if not changed:
        return connector
    if set(after["redirect_urls"]) - set(before["redirect_urls"]):
        require_no_credential_hold(by)  # the codes by which people let it act would go there
    for column in changed:
        setattr(connector, column, after[column])
    _save_under_its_name(connector, update_fields=changed)
    record(
        EventType.CONNECTOR_CHANGED,
        by=by,
        subject=connector,
        before={column: before[column] for column in changed},
        after={column: after[column] for column in changed},
    )
    return connector


@transaction.atomic
def deactivate(*, connector: Connector, by: User) -> Connector:
    """No new grants from now on; existing ones go on (wire protocol §4)."""
    already = _("This connector is already deactivated.")
    return _set_state(connector, by, "deactivated_at", True, EventType.CONNECTOR_DEACTIVATED, already)


@transaction.atomic
def reactivate(*, connector: Connector, by: User) -> Connector:
    """It may be granted again."""
    already = _("This connector is not deactivated.")
    return _set_state(connector, by, "deactivated_at", False, EventType.CONNECTOR_REACTIVATED, already)


@transaction.atomic
def suspend(*, connector: Connector, by: User, reason: str = "") -> Connector:
    """Every token of it is refused from the next request on, until it is resumed. An operator gives a `reason`."""
    already = _("This connector is already suspended.")
    return _set_state(connector, by, "suspended_at", True, EventType.CONNECTOR_SUSPENDED, already, reason)


@transaction.atomic
def resume(*, connector: Connector, by: User, reason: str = "") -> Connector:
    """Its tokens are accepted again, those made before the suspension too. Raises RuleBroken while `by` cools off."""
    policies.require_owner_or_operator(by, connector)
    require_no_credential_hold(by)
    already = _("This connector is not suspended.")
    return _set_state(connector, by, "suspended_at", False, EventType.CONNECTOR_RESUMED, already, reason)


@transaction.atomic
def delete(*, connector: Connector, by: User) -> Connector:
    """End everything for good: grants, tokens, secrets and waiting handoffs. The row stays, for the trail."""
    connector = Connector.objects.get_locked(connector.pk)
    policies.require_owner_or_operator(by, connector)
    if connector.deleted_at:
        raise NotFound
    now = clock.now()
    connector.deleted_at, connector.logo_sha256 = now, ""
    connector.save(update_fields=["deleted_at", "logo_sha256"])
    ConnectorLogo.objects.filter(connector=connector).delete()
    secret_ids = list(connector.secrets.values_list("pk", flat=True))
    ConnectorSecret.objects.filter(pk__in=secret_ids, revoked_at__isnull=True).update(revoked_at=now)
    one_time_secrets.forget("connectorsecret", [str(pk) for pk in secret_ids])
    one_time_secrets.forget("connector", [str(connector.pk)])
    grants = list(Grant.objects.select_for_update(no_key=True).filter(connector=connector).present().order_by("pk"))
    Grant.objects.filter(pk__in=[grant.pk for grant in grants]).update(revoked_at=now)
    refresh_tokens.revoke_all([grant.pk for grant in grants], at=now)
    AccessRequest.objects.waiting().filter(connector=connector).update(withdrawn_at=now)
    UserTokenRequest.objects.waiting().filter(connector=connector).update(withdrawn_at=now)
    record(
        EventType.CONNECTOR_DELETED,
        by=by,
        subject=connector,
        before={"name": connector.name, "grants": [str(grant.pk) for grant in grants]},
    )
    return connector


def _set_state(
    connector: Connector, by: User, column: str, on: bool, tag: EventType, already: str, reason: str = ""
) -> Connector:
    connector = Connector.objects.get_locked(connector.pk)
    policies.require_owner_or_operator(by, connector)
    if connector.deleted_at:
        raise NotFound
    if (getattr(connector, column) is not None) is on:
        raise Conflict(already, code="state_unchanged")
    before = connector.state
    setattr(connector, column, clock.now() if on else None)
    connector.save(update_fields=[column])
    event = record(
        tag,
        by=by,
        subject=connector,
        before={"state": str(before)},
        after={"state": str(connector.state), **({"reason": reason} if reason else {})},
    )
    if column == "suspended_at":
        act = "suspended" if on else "resumed"
        owners.notify_of_operator(event=event, connector=connector, by=by, act=act, reason=reason)
    return connector


def _columns(details: Details) -> dict[str, Any]:
    return {
        "name": details.name,
        "description": details.description,
        "home_page": details.home_page,
        "redirect_urls": details.redirect_urls,
    }


def _save_under_its_name(connector: Connector, **options: Any) -> None:
    """The constraint decides whether the name is free: a look before the insert could be too early."""
    try:
        with transaction.atomic():
            connector.save(**options)
    except IntegrityError as error:
        if Connector.NAME_CONSTRAINT not in str(error):
            raise
        raise refuse_taken_name(connector.name) from None


# ----------------------------------------------------------------------------------------------------
# What a connector may be called and say about itself: one place for the rules, used to create and to change.


LONGEST_NAME = 80
LONGEST_DESCRIPTION = 500
LONGEST_URL = 200
MOST_REDIRECT_URLS = 10
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_web_address = URLValidator(schemes=["http", "https"])


@dataclass(frozen=True, slots=True)
class Details:
    """The fields of a connector that its owners choose, checked and tidied."""

    name: str
    description: str
    home_page: str
    redirect_urls: list[str]
    permissions: frozenset[Permission]


def check_details(
    *,
    name: str,
    description: str = "",
    home_page: str = "",
    redirect_urls: Iterable[str] = (),
    permissions: Iterable[str],
) -> Details:
    """Tidy and check everything. Raises RuleBroken that names the field and says what was expected."""
    return Details(
        name=check_name(name, missing=_("Give the connector a name.")),
        description=_check_description(description),
        home_page=_check_home_page(home_page.strip()),
        redirect_urls=_check_redirect_urls(redirect_urls),
        permissions=check_permissions(permissions),
    )


def require_shown(connector: Connector, asked: Collection[str], as_shown: Collection[str] | None) -> None:
    """Raise Conflict when the connector asks for more than a person saw who lets it act. None: nobody saw a list.

    Permissions, or the scopes that a program asks for.
    """
    if as_shown is not None and not frozenset(as_shown).issuperset(asked):
        raise Conflict(
            _("“%(connector)s” now asks for something else. Check it again.") % {"connector": connector.name},
            code="permissions_grown",
        )


def check_permissions(permissions: Iterable[str]) -> frozenset[Permission]:
    """At least one of the nine permissions. Raises RuleBroken."""
    try:
        chosen = frozenset(Permission(permission) for permission in permissions)
    except ValueError:
        raise RuleBroken(
            _("This is not a permission of a connector."), code="permission_unknown", field="permissions"
        ) from None
    if not chosen:
        raise RuleBroken(_("Choose at least one permission."), code="permission_missing", field="permissions")
    return chosen


def refuse_taken_name(name: str) -> RuleBroken:
    """The answer to a second connector of the same owner under one name."""
    return RuleBroken(
        _("You already have a connector named “%(name)s”. Choose another name.") % {"name": name},
        code="name_taken",
        field="name",
    )


def check_name(name: str, *, missing: str) -> str:
    """What a connector or a bot is called, tidied. Raises RuleBroken, with the words of `missing` for no name."""
    tidy = " ".join(check_printable(name).split())
    if not tidy:
        raise RuleBroken(missing, code="name_missing", field="name")
    too_long = _("The name is too long: %(count)d characters, at most %(most)d.")
    return check_length(tidy, LONGEST_NAME, too_long, field="name")


def check_length(text: str, most: int, too_long: str, *, field: str) -> str:
    """The text. Raises RuleBroken, with the words of `too_long`, when it has more than so many characters."""
    if len(text) > most:
        raise RuleBroken(too_long % {"count": len(text), "most": most}, code=f"{field}_too_long", field=field)
    return text


def _check_description(description: str) -> str:
    tidy = check_printable(description, keep="\n").strip()
    too_long = _("The description is too long: %(count)d characters, at most %(most)d.")
    return check_length(tidy, LONGEST_DESCRIPTION, too_long, field="description")


def _check_home_page(home_page: str) -> str:
    if home_page and not _is_web_address(home_page):
        raise RuleBroken(
            _("The home page must be a web address like https://example.com, of at most 200 characters."),
            code="home_page",
            field="home_page",
        )
    return home_page


def _check_redirect_urls(redirect_urls: Iterable[str]) -> list[str]:
    tidy = list(dict.fromkeys(_to_ascii(url.strip()) for url in redirect_urls if url.strip()))
    if len(tidy) > MOST_REDIRECT_URLS:
        raise RuleBroken(
            _("Enter at most %(most)d redirect URLs.") % {"most": MOST_REDIRECT_URLS},
            code="redirect_urls",
            field="redirect_urls",
        )
    for url in tidy:
        if not _is_redirect_url(url):
            raise RuleBroken(
                _("“%(url)s” can’t be a redirect URL. Enter a full https address without #.")
                % {"url": url[:LONGEST_URL]},
                code="redirect_url",
                field="redirect_urls",
            )
    return tidy


def _to_ascii(url: str) -> str:
    try:
        return web_address.to_ascii(url)
    except ValueError:
        return url  # no redirect URL (`_is_redirect_url`)


def _is_redirect_url(url: str) -> bool:
    """Absolute, no fragment (RFC 6749 §3.1.2), and https; http for the developer's own machine (RFC 8252 §7.3)."""
    if not _is_web_address(url, loopback=True):
        return False
    parts = urlsplit(url)
    if not url.isascii():
        return False
    if parts.fragment or "#" in url or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or parts.hostname in LOOPBACK


def _is_web_address(url: str, *, loopback: bool = False) -> bool:
    if len(url) > LONGEST_URL:
        return False
    try:
        _web_address(url)
    except ValidationError:
        return loopback and _is_loopback(url)
    return True


def _is_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _port = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.hostname in LOOPBACK and url.isprintable() and " " not in url


def check_printable(text: str, *, keep: str = "") -> str:
    """Without control characters (PostgreSQL stores no NUL) and marks that turn the direction of what follows."""
    text = text.replace("\r\n", "\n").replace("\t", " ")
    return "".join(
        character
        if character in keep or (unicodedata.category(character) not in {"Cc", "Cs"} and character not in _TURNING)
        else " "
        for character in text
    )


MOST_LOGO_KILOBYTES: Final = 256
MOST_LOGO_BYTES: Final = MOST_LOGO_KILOBYTES * 1024
MOST_LOGO_PIXELS: Final = 1024
FEWEST_LOGO_PIXELS: Final = 32


@transaction.atomic
def set_logo(*, connector: Connector, by: User, content: bytes, name: str, content_type: str) -> ConnectorLogo:
    """Give the connector this logo, instead of any that it has. The same again changes nothing.

    Raises NotFound for who does not own it, and RuleBroken for what is no such picture.
    """
    connector = Connector.objects.get_locked(connector.pk)
    policies.require_owner(by, connector)
    picture = _check_picture(content, name, content_type)
    sha256 = hashlib.sha256(picture.content).hexdigest()
    before = connector.logo_sha256
    if before == sha256:
        return ConnectorLogo.objects.get(connector=connector)
    logo, _made = ConnectorLogo.objects.update_or_create(
        connector=connector,
        defaults={
            "content": picture.content,
            "content_type": picture.content_type,
            "sha256": sha256,
            "width": picture.width,
            "height": picture.height,
            "changed_at": clock.now(),
        },
    )
    _set_logo_sha256(connector, by, sha256)
    return logo


@transaction.atomic
def remove_logo(*, connector: Connector, by: User) -> Connector:
    """Take the logo away; for owners, and operators. Without one nothing happens. Raises NotFound."""
    connector = Connector.objects.get_locked(connector.pk)
    policies.require_owner_or_operator(by, connector)
    if connector.deleted_at:
        raise NotFound
    if connector.logo_sha256:
        ConnectorLogo.objects.filter(connector=connector).delete()
        _set_logo_sha256(connector, by, "")
    return connector


def _set_logo_sha256(connector: Connector, by: User, sha256: str) -> None:
    before, connector.logo_sha256 = connector.logo_sha256, sha256
    connector.save(update_fields=["logo_sha256"])
    record(
        EventType.CONNECTOR_CHANGED,
        by=by,
        subject=connector,
        before={"logo": before},
        after={"logo": sha256},
    )


def _check_picture(content: bytes, name: str, content_type: str) -> pictures.Picture:
    if len(content) > MOST_LOGO_BYTES:
        raise _picture_refused(_("The picture is larger than %(most)d kB.") % {"most": MOST_LOGO_KILOBYTES})
    claim = pictures.get_claimed_type(name, content_type)
    if claim is None:
        raise _picture_refused(_("Choose a .png, .jpg or .webp file."))
    try:
        picture = pictures.read(content, most_pixels=MOST_LOGO_PIXELS)
    except pictures.NotAPicture:
        picture = None
    except pictures.TooManyPixels as problem:
        raise _picture_has_wrong_size(problem.width, problem.height) from problem
    if picture is None or picture.content_type != claim:
        raise _picture_refused(_("This file is not a valid picture. Save it as PNG, JPEG or WebP."))
    if min(picture.width, picture.height) < FEWEST_LOGO_PIXELS:
        raise _picture_has_wrong_size(picture.width, picture.height)
    return picture


def _picture_has_wrong_size(width: int, height: int) -> RuleBroken:
    return _picture_refused(
        _("The picture is %(width)d × %(height)d pixels. Each side must be %(fewest)d to %(most)d.")
        % {"width": width, "height": height, "fewest": FEWEST_LOGO_PIXELS, "most": MOST_LOGO_PIXELS}
    )


def _picture_refused(text: str) -> RuleBroken:
    return RuleBroken(text, code="logo", field="logo")
