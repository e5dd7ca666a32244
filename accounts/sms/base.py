"""What the console needs of a service that sends SMS. Which one is used, the settings say (accounts.sms)."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar, Protocol, runtime_checkable

from django.utils.translation import gettext_lazy as _

from kaizala_console.lib.errors import ConsoleError, GatewayDown, RuleBroken

LONGEST_PROGRAM = 40  # of its name, in an SMS


class Verdict(Enum):
    """What a gateway that keeps PINs itself says to one that was typed."""

    RIGHT = "right"
    WRONG = "wrong"
    OVER = "over"  # expired, already used, or too many wrong tries: a new PIN is needed


class Gateway(Protocol):
    """Sends a PIN to a number. Calls may take seconds: never inside a transaction."""

    name: ClassVar[str]
    is_local: ClassVar[bool]  # it calls nobody outside, so it may be called while a person waits

    def send(self, *, number: str, pin: str, minutes: int, program: str = "") -> str:
        """Sends `pin`, valid for `minutes`, and returns the gateway's reference. `number` is E.164.

        `program` names the one that the person is to give the PIN to, when it is not this console.

        Raises NumberRefused, TooSoon (the gateway's own limit), or GatewayDown; then nothing was sent, as far as the
        gateway lets us know.
        """


@runtime_checkable
class PinMaker(Gateway, Protocol):
    """A gateway that makes, keeps and checks the PINs itself: it is given an empty one to send."""

    def check(self, *, reference: str, pin: str) -> Verdict:
        """Judges what was typed for the sending of that reference. Raises GatewayDown; then the try does not count."""


@runtime_checkable
class TextSender(Protocol):
    """Sends a text of ours to a number. Verify alone cannot: its texts are Twilio's."""

    name: ClassVar[str]

    def send_text(self, *, number: str, text: str) -> str:
        """Sends `text` and returns the gateway's reference. Raises as `Gateway.send`."""


class SmsRefused(RuleBroken):
    """The gateway will not send to this number: a landline, say, or a country that is not enabled."""

    default_message = _("We can’t send SMS to this number. Check it, or use another number.")
    default_code = "number_refused"


def not_sent() -> GatewayDown:
    """What a person is told when the gateway fails while a PIN is sent."""
    return GatewayDown(
        _("The PIN could not be sent: the SMS service isn’t responding. Try again in a few minutes."),
        code="sms_down",
    )


def why_not_sent(code: str) -> str:
    """What a person is told, in their language, for the `code` with which an SMS could not be sent."""
    known: dict[str, ConsoleError] = {"number_refused": SmsRefused(), "country_refused": country_refused()}
    return str(known.get(code) or not_sent())


def country_refused() -> SmsRefused:
    return SmsRefused(
        _("This console sends no SMS to numbers of this country. Use another number, or ask the operator."),
        code="country_refused",
        field="number",
    )


def not_checked() -> GatewayDown:
    """What a person is told when the gateway fails while a PIN is checked."""
    return GatewayDown(
        _(
            "The PIN could not be checked: the SMS service isn’t responding. It is still valid: send it again in "
            "a minute."
        ),
        code="sms_down",
    )


def pin_text(pin: str, minutes: int, program: str = "") -> str:
    """The text that carries a PIN, in the reader's language; short enough for one SMS of 160 characters in English.

    A PIN that a person gives to a program says to which, and what for.
    """
    if program:
        return _(
            "%(pin)s is your PIN to let the program %(program)s act for you in Kaizala. Valid for "
            "%(minutes)d minutes. Do not share it."
        ) % {"pin": pin, "minutes": minutes, "program": program[:LONGEST_PROGRAM]}
    return _("%(pin)s is your PIN for Kaizala Console. Valid for %(minutes)d minutes. Do not share it.") % {
        "pin": pin,
        "minutes": minutes,
    }
