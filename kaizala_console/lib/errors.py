"""The errors that services raise, for people to read.

A door never invents its own: a page shows the message, the wire translates the class to the protocol's table
(``kaizala_console.api.errors``). A message is a translated sentence that says what is wrong and what to do;
it never contains a secret.
"""

from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class ConsoleError(Exception):
    """Base of everything that can be said to a person.

    ``code`` names the situation for programs and tests, in snake case; ``field`` names the input at fault in
    the vocabulary of the service, when there is one.
    """

    default_message: ClassVar[str | Promise] = _("That did not work. Please try again.")
    default_code: ClassVar[str] = "error"

    def __init__(self, message: str | Promise = "", *, code: str | None = None, field: str | None = None) -> None:
        self.message: str | Promise = message or self.default_message
        self.code: str = code or self.default_code
        self.field: str | None = field
        super().__init__(self.message)

    def __str__(self) -> str:
        """Return the message, in the language that is active when it is read."""
        return str(self.message)


class RuleBroken(ConsoleError):
    """The input, or the state of things, breaks a rule; the same request will fail again."""

    default_message = _("This is not allowed here. Please check what you entered.")
    default_code = "rule_broken"


class NotAllowed(ConsoleError):
    """The person or program is known, but may not do this to something they may see."""

    default_message = _("You do not have the right to do this.")
    default_code = "not_allowed"


class NotFound(ConsoleError):
    """It is not there, or not yours: one class, one answer, so that nobody learns which."""

    default_message = _("There is nothing here, or it is not yours.")
    default_code = "not_found"


class Conflict(ConsoleError):
    """Somebody else was first, or the state changed meanwhile; looking again helps."""

    default_message = _("This changed in the meantime. Please look again and repeat what is still needed.")
    default_code = "conflict"


class TooSoon(ConsoleError):
    """A limit was reached. ``retry_after`` is the wait in whole seconds, at least one."""

    default_message = _("That was too often. Please wait a little and try again.")
    default_code = "too_soon"

    def __init__(
        self,
        message: str | Promise = "",
        *,
        retry_after: int,
        code: str | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message, code=code, field=field)
        self.retry_after = max(1, int(retry_after))


class GatewayDown(ConsoleError):
    """A service outside (SMS, mail, a callback) does not answer; nothing was lost, later may work."""

    default_message = _("A service that we depend on does not answer. Please try again in a few minutes.")
    default_code = "gateway_down"
