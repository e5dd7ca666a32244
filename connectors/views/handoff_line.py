"""The handoff line: made → sealed → told → opened → works. Both sides' pages draw it from here."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from connectors import live_queries
from connectors.models import Handoff, HandoffState
from connectors.queries import connectors
from kaizala_console.lib import clock, live

Step = dict[str, Any]


def steps(handoff: Handoff) -> list[Step]:
    """Return the five steps for `<c-handoff-line :steps=…>`.

    It costs no query for a handoff that `connectors.queries.connectors` found.
    """
    told = _told(handoff)
    return [
        _step(_("Made"), "done", at=handoff.made_at, by=handoff.maker_name),
        _step(_("Sealed"), "done", at=handoff.sealed_at, note=_sealed_for(handoff)),
        told,
        _opened(handoff, is_next=told["state"] != "now"),
        _works(handoff),
    ]


def state_of(handoff: Handoff) -> HandoffState:
    """The state that counts now: past its deadline a handoff is expired, whether or not the worker came by."""
    if handoff.state is HandoffState.WAITING and handoff.expires_at <= clock.now():
        return HandoffState.EXPIRED
    return handoff.state


def etag_of(user: User, handoff_id: UUID) -> str:
    """The ETag of a page that shows this handoff's line, for `user`."""
    return live.etag(user.pk, live_queries.of_handoff(handoff_id))


def moving(line: list[Step], path: str, etag: str) -> dict[str, Any]:
    """What a template needs to let `line` follow along: `path` shows the same line; over, it asks no more."""
    moves = any(step["state"] == "now" for step in line)
    return {"says": _latest(line), **(live.follow(path, etag) if moves else {})}


def of_one(user: User, handoff_id: UUID) -> dict[str, Any]:
    """The line of a handoff that `user` may see, for pages that are about something else: `steps`, and `moving`."""
    etag = etag_of(user, handoff_id)
    line = steps(connectors.handoff_for(user, handoff_id))
    return {"steps": line, **moving(line, reverse("connectors:handoff", args=[handoff_id]), etag)}


def _latest(line: list[Step]) -> str:
    """How far it is, in a few words: what a screen reader says when the line has moved on."""
    reached = [step for step in line if step["state"] in ("done", "failed")][-1]
    more = reached["note"] if reached["state"] == "failed" else reached["by"] or reached["note"]
    return _("%(step)s: %(more)s") % {"step": reached["label"], "more": more} if more else str(reached["label"])


def _step(
    label: str, state: str, *, at: dt.datetime | None = None, by: str | None = None, note: str | None = None
) -> Step:
    return {"label": label, "state": state, "at": at, "by": by, "note": note}


def _sealed_for(handoff: Handoff) -> str:
    name = handoff.connector.name
    if handoff.sealed_to == "server":
        return _("for %(connector)s") % {"connector": name}
    return _("for %(connector)s, key %(fingerprint)s") % {"connector": name, "fingerprint": handoff.sealed_to}


def _told(handoff: Handoff) -> Step:
    """Home tells at once; the mail may take a while, or never arrive."""
    label, notice = _("Told"), handoff.notice
    if notice is not None and notice.sent_at:
        return _step(label, "done", at=notice.sent_at, by=handoff.connector.owner.name, note=_("by mail and on Home"))
    if notice is not None and notice.gave_up_at:
        return _step(label, "done", by=handoff.connector.owner.name, note=_("on Home; the mail could not be sent"))
    if state_of(handoff) is not HandoffState.WAITING:
        return _step(label, "done", by=handoff.connector.owner.name, note=_("on Home"))
    return _step(label, "now", by=handoff.connector.owner.name, note=_("on Home; the mail is on its way"))


def _opened(handoff: Handoff, *, is_next: bool) -> Step:
    label, state = _("Opened"), state_of(handoff)
    if state is HandoffState.CLAIMED:
        address = _("from %(address)s") % {"address": handoff.claimed_from} if handoff.claimed_from else ""
        by_program = _("by its own program") if handoff.claimed_by_program else ""
        note = ", ".join(filter(None, (by_program, address))) or None
        return _step(label, "done", at=handoff.claimed_at, by=handoff.claimer_name, note=note)
    if state is HandoffState.REFUSED:
        return _step(label, "failed", at=handoff.refused_at, note=_("refused by the developer"))
    if state is HandoffState.EXPIRED:
        return _step(label, "failed", at=handoff.expired_at or handoff.expires_at, note=_("expired, nobody opened it"))
    if state is HandoffState.WITHDRAWN:
        return _step(label, "failed", at=handoff.withdrawn_at, note=_("withdrawn"))
    return _step(label, "now" if is_next else "todo") | {"until": handoff.expires_at}


def _works(handoff: Handoff) -> Step:
    label, token = _("Works"), handoff.refresh_token
    if token.first_used_at:
        address = _("from %(address)s") % {"address": token.first_used_from} if token.first_used_from else None
        return _step(label, "done", at=token.first_used_at, note=address)
    if state_of(handoff) is not HandoffState.CLAIMED:
        return _step(label, "todo")
    if token.revoked_at:
        return _step(label, "failed", at=token.revoked_at, note=_("the token was ended"))
    if token.expires_at <= clock.now():
        return _step(label, "failed", at=token.expires_at, note=_("the token was never used"))
    return _step(label, "now", note=_("once the program uses it"))
