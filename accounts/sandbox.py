"""The people of the sandbox: who may be chosen on the local identity page, and what the demo data gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from accounts.models import User

TENANT_ID = "5a4dbb00-0000-4000-8000-000000000001"
ORGANISATION_NAME = "Contoso Field Services"


@dataclass(frozen=True)
class SandboxIdentity:
    """A ready identity. `number` is its phone in the demo data, in E.164.

    `phone_is_verified` says that the demo data has verified it already. The developer and the group admin walk that
    step themselves; the identity page shows them their number, because the groups know the admin by it.
    """

    key: str
    oid: str
    name: str
    email: str
    number: str
    role: str | Promise
    phone_is_verified: bool = False
    is_organisation_admin: bool = False
    is_staff: bool = False

    @property
    def subject(self) -> str:
        """What identifies the account: `<tid>:<oid>`, as with Office365."""
        return f"{TENANT_ID}:{self.oid}"


def _oid(number: int) -> str:
    return f"5a4dbb00-0000-4000-8000-0000000001{number:02d}"


IDENTITIES = (
    SandboxIdentity(
        key="developer",
        oid=_oid(1),
        name="Devika Rao",
        email="devika.rao@contoso.example",
        number="+919820000001",
        role=_("Developer: registers connectors and claims their refresh tokens"),
    ),
    SandboxIdentity(
        key="group-admin",
        oid=_oid(2),
        name="Arjun Mehta",
        email="arjun.mehta@contoso.example",
        number="+919820000002",
        role=_("Group admin: adds connectors to their groups"),
    ),
    SandboxIdentity(
        key="member",
        oid=_oid(3),
        name="Meera Nair",
        email="meera.nair@contoso.example",
        number="+919820000003",
        role=_("Member: sees their groups"),
        phone_is_verified=True,
    ),
    SandboxIdentity(
        key="organisation-admin",
        oid=_oid(4),
        name="Farah Khan",
        email="farah.khan@contoso.example",
        number="+919820000004",
        role=_("Organisation admin: manages all groups in the organisation"),
        phone_is_verified=True,
        is_organisation_admin=True,
    ),
    SandboxIdentity(
        key="operator",
        oid=_oid(5),
        name="Omar Dsouza",
        email="omar.dsouza@contoso.example",
        number="+919820000005",
        role=_("Operator: runs the console, with a second factor"),
        phone_is_verified=True,
        is_staff=True,
    ),
    SandboxIdentity(
        key="second-admin",
        oid=_oid(6),
        name="Gita Pillai",
        email="gita.pillai@contoso.example",
        number="+919820000006",
        role=_("Second organisation admin: confirms user tokens of the first"),
        phone_is_verified=True,
        is_organisation_admin=True,
    ),
)
BY_KEY = {identity.key: identity for identity in IDENTITIES}


def get_demo_number(user: User) -> str:
    """The demo number of this account (E.164), "" for one that is none of the sandbox's identities."""
    found = (identity.number for identity in IDENTITIES if identity.subject == user.subject)
    return next(found, "")
