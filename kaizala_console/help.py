"""Help inside the console: which pages there are, for whom, what follows which. The words are in templates/help/."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from accounts.views.decorators import signed_in
from connectors.permissions import DESCRIPTIONS, PERMISSIONS


@dataclass(frozen=True, slots=True)
class HelpPage:
    """One page. `words` are what people may search for besides title and lead; `follows` the pages to read next."""

    slug: str
    title: Promise
    lead: Promise
    follows: tuple[str, ...]
    words: str | Promise = ""


@dataclass(frozen=True, slots=True)
class HelpSection:
    """The pages for one kind of reader."""

    title: Promise
    icon: str
    pages: tuple[HelpPage, ...]


DEVELOPERS: Final = (
    HelpPage(
        "connectors",
        _("What a connector is"),
        _("What a connector is, and the four steps to connect your program."),
        ("handoff", "permissions"),
        _("start register program bot id secret begin"),
    ),
    HelpPage(
        "tokens",
        _("Tokens and secrets"),
        _("The three strings your program needs, and how long each is valid."),
        ("limits", "handoff"),
        _("access refresh expire rotate curl header endpoint 401"),
    ),
    HelpPage(
        "handoff",
        _("How you get a refresh token"),
        _("Sealed when a group adds your connector; claimed once by you or your program."),
        ("tokens", "permissions"),
        _("claim request link sealed key inbox"),
    ),
    HelpPage(
        "permissions",
        _("Permissions"),
        _("The nine permissions, and how to change them."),
        ("user-tokens", "limits"),
        _("scope scopes 403 forbidden approve"),
    ),
    HelpPage(
        "user-tokens",
        _("Tokens for all groups of a person"),
        _("When a program acts for someone in all their groups."),
        ("permissions", "limits"),
        _("user sign in oauth pin tenant organisation"),
    ),
    HelpPage(
        "webhooks",
        _("Webhooks"),
        _("Get events instead of polling, and verify signatures."),
        ("actions", "limits"),
        _("signature verify callback event delivery whsec hmac"),
    ),
    HelpPage(
        "actions",
        _("Polls, surveys, jobs and other actions"),
        _("Ask a group something and read the answers."),
        ("webhooks", "permissions"),
        _("card response poll survey announcement checklist"),
    ),
    HelpPage(
        "bots",
        _("Bots"),
        _("What a bot is, and where it can post."),
        ("actions", "permissions"),
        _("bot sender name picture post"),
    ),
    HelpPage(
        "limits",
        _("Limits"),
        _("How many calls you can make, and what to do after a 429."),
        ("webhooks", "tokens"),
        _("throttle rate retry-after usage 429 slow"),
    ),
    HelpPage(
        "migrating",
        _("Move an old program in ten minutes"),
        _("Change the host name and three strings, then check the Compatibility tab."),
        ("tokens", "limits"),
        _("kaiza.la old kaizala migrate legacy compatibility"),
    ),
)
ADMINS: Final = (
    HelpPage(
        "letting-in",
        _("Add a connector to your group"),
        _("What you decide, what it can do, and who gets the token."),
        ("ending", "handoff"),
        _("grant add admin permission end date approve"),
    ),
    HelpPage(
        "ending",
        _("Remove or suspend a connector"),
        _("Suspend it, remove permissions, or remove it: what stops and what can be restored."),
        ("letting-in", "permissions"),
        _("remove revoke suspend delete leak stop"),
    ),
)
OPERATORS: Final = (
    HelpPage(
        "operating",
        _("Run this console"),
        _("Settings, health, metrics and backups."),
        ("limits", "ending"),
        _("operator settings env metrics prometheus backup restore queue worker health"),
    ),
)
SECTIONS: Final = (
    HelpSection(_("For developers"), "code", DEVELOPERS),
    HelpSection(_("For group admins"), "groups", ADMINS),
    HelpSection(_("For operators"), "settings", OPERATORS),
)
PAGES: Final = {page.slug: page for part in SECTIONS for page in part.pages}


@require_GET
@signed_in
def index(request: HttpRequest) -> HttpResponse:
    """All pages, or those in whose title, lead or words every word of `q` is."""
    search = request.GET.get("q", "").strip()[:120]
    parts = [{"part": part, "pages": [page for page in part.pages if _matches(page, search)]} for part in SECTIONS]
    return render(request, "help/index.html", {"parts": [row for row in parts if row["pages"]], "search": search})


@require_GET
@signed_in
def page(request: HttpRequest, slug: str) -> HttpResponse:
    found = PAGES.get(slug)
    if found is None:
        raise Http404
    context: dict[str, Any] = {
        "page": found,
        "follows": [PAGES[name] for name in found.follows],
        "permissions": [DESCRIPTIONS[permission] for permission in PERMISSIONS],
        "connector_most": settings.THROTTLE_CONNECTOR_PER_MINUTE,
        "tenant_most": settings.THROTTLE_TENANT_PER_MINUTE,
        "access_hours": settings.ACCESS_TOKEN_HOURS,
        "exchange": f'curl "{request.build_absolute_uri("/v1/accessToken")}" \\\n'
        '  -H "applicationId: $KAIZALA_CONNECTOR_ID" \\\n'
        '  -H "applicationSecret: $KAIZALA_CONNECTOR_SECRET" \\\n'
        '  -H "refreshToken: $KAIZALA_REFRESH_TOKEN"',
        "host": request.get_host(),
        "verify": VERIFY,
    }
    return render(request, f"help/{found.slug}.html", context)


def _matches(page: HelpPage, search: str) -> bool:
    text = f"{page.title} {page.lead} {page.words}".casefold()
    return all(word in text for word in search.casefold().split())


VERIFY: Final = '''import base64, hashlib, hmac, time

def is_genuine(headers, body: bytes, secret: str) -> bool:
    """headers: lower-case names; body: as it arrived; secret: whsec_…"""
    sent_at = headers.get("webhook-timestamp", "")
    if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers.get('webhook-id', '')}.{sent_at}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(one.encode(), expected.encode())
               for one in headers.get("webhook-signature", "").split())'''
