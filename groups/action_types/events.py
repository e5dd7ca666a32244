"""What events of several kinds of cards say alike (wire protocol §6, Webhooks). Pure."""

from __future__ import annotations

from accounts.models import Person


def responder_of(person: Person | None) -> dict[str, str]:
    """Who it was; nobody for an anonymous response, or where a bot acted."""
    return {
        "responder": person.number if person else "",
        "responderId": str(person.pk) if person else "",
        "responderName": person.name if person else "",
        "responderProfilePic": person.picture_url if person else "",
    }
