"""POST /v1/credentials/report: somebody, or a scanner, found a credential. An addition of ours to the protocol."""

from __future__ import annotations

from django.views.decorators.debug import sensitive_variables
from pydantic import Field

from connectors.services import leak_reports
from kaizala_console.api.endpoint import Call, operation
from kaizala_console.api.fields import Body, Text, named
from kaizala_console.api.responses import Answer
from kaizala_console.lib.client_address import client_address

THANKS = (
    "Thank you. If this is a credential of this console that still works, it is refused from now on, and its owner is "
    "told."
)


class FoundCredential(Body):
    """The credential, or any text that holds some; and where it was found, for its owner."""

    credential: Text = named("credential", "token", "secret", "text")
    where: str = named("where", "url", "source", default="")


class Thanks(Answer):
    """The same, whatever was known."""

    message: str = Field(description="For people.")


@operation(summary="Report a leaked credential", body=FoundCredential, response=Thanks)
@sensitive_variables()
def report(call: Call) -> dict[str, str]:
    """No authentication: anyone with a complete credential can have it refused. Throttled by address."""
    leak_reports.report(text=call.body.credential, where=call.body.where, address=client_address(call.request))
    return {"message": THANKS}
