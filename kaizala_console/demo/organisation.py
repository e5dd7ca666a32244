"""The demo organisation: the sandbox's identities, the people they work with, and the groups they work in."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from accounts.audit.record import SYSTEM
from accounts.models import Organisation, User, VerifiedPhone
from accounts.sandbox import BY_KEY, IDENTITIES, ORGANISATION_NAME, TENANT_ID, SandboxIdentity
from accounts.services import people
from groups.models import Group, Membership, Message, Subscription
from groups.services import groups, members
from kaizala_console.lib import clock

DEVELOPER, GROUP_ADMIN, MEMBER, ORGANISATION_ADMIN, SECOND_ADMIN = (
    BY_KEY[key] for key in ("developer", "group-admin", "member", "organisation-admin", "second-admin")
)

# Numbers of Mumbai's first mobile series, with zeros where no operator would begin: valid, and nobody's.
COLLEAGUES: Final = {
    "+919820000011": "Lakshmi Iyer",
    "+919820000012": "Harpreet Singh",
    "+919820000013": "Imran Sheikh",
    "+919820000014": "Kavita Deshmukh",
    "+919820000015": "Thomas Kurien",
    "+919820000016": "Rukmini Pillai",
    "+919820000017": "Salman Ansari",
    "+919820000018": "Gurleen Kaur",
    "+919820000019": "Vikram Patil",
    "+919820000020": "Nandini Bose",
    "+919820000021": "Joseph Fernandes",
    "+919820000022": "Ayesha Siddiqui",
    "+919820000023": "Prakash Jadhav",
    "+919820000024": "Tenzin Dorjee",
    "+919820000025": "Bhavna Shah",
    "+919820000026": "Raghavendra Hegde",
    "+919820000027": "Zoya Contractor",
    "+919820000028": "Mahesh Gaikwad",
    "+919820000029": "Shanti Oraon",
    "+919820000030": "Anil Chauhan",
}
# Every third of them never opened the app: what programs see as `isProvisioned: false`.
NEVER_CAME: Final = frozenset(list(COLLEAGUES)[2::3])
SUBSCRIBERS: Final = {
    "+919820000041": "Hotel Sagar, Thane",
    "+919820000042": "Green Park Housing Society",
    "+919820000043": "Dr. Leela Menon’s Clinic",
    "+919820000044": "Sunrise Public School",
}


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """A group to make: members by number; `parent` is one made before it; `said` is minutes ago, number, text."""

    name: str
    welcome: str
    members: tuple[str, ...]
    admin: SandboxIdentity = GROUP_ADMIN
    also_admin: SandboxIdentity | None = None
    parent: str = ""
    group_type: str = Group.Type.PLAIN
    is_private: bool = False
    said: tuple[tuple[int, str, str], ...] = ()


_N: Final = tuple(COLLEAGUES)
PLANS: Final = (
    GroupPlan(
        name="Field Service Mumbai",
        welcome="Everyone who is out with a toolbox between Colaba and Virar.",
        members=(MEMBER.number, DEVELOPER.number, *_N[:4]),
        also_admin=ORGANISATION_ADMIN,
        said=(
            (
                2890,
                ORGANISATION_ADMIN.number,
                "Please wear the new vests from Monday. Stores has all sizes.",
            ),
            (1475, GROUP_ADMIN.number, "Orange alert for heavy rain tomorrow. No work on poles after 14:00."),
            (1462, _N[0], "Understood. Dadar crew will do indoor meters instead."),
        ),
    ),
    GroupPlan(
        name="Andheri Crew",
        welcome="Jobs, keys and lunch for the Andheri crew.",
        members=(MEMBER.number, *_N[4:9]),
        parent="Field Service Mumbai",
        said=(
            (310, MEMBER.number, "Meter 4417 at Lokhandwala replaced, photos are with the office."),
            (295, GROUP_ADMIN.number, "Thank you, Meera. Next is the lift panel at Versova, gate 2."),
        ),
    ),
    GroupPlan(
        name="Thane Crew",
        welcome="Jobs, keys and lunch for the Thane crew.",
        members=(_N[8], *_N[9:14]),
        parent="Field Service Mumbai",
        said=((200, _N[9], "The van is back from service. Keys are at the gate."),),
    ),
    GroupPlan(
        name="Night Shift",
        welcome="22:00 to 06:00. Call before you climb.",
        members=(_N[5], _N[10], _N[14]),
        parent="Andheri Crew",
    ),
    GroupPlan(
        name="Safety Officers",
        welcome="One from each crew. What is said here is acted on.",
        members=(MEMBER.number, _N[1], _N[9], *_N[15:18]),
        admin=ORGANISATION_ADMIN,
        said=(
            (4400, ORGANISATION_ADMIN.number, "The audit found two ladders without rubber feet. They are out of use."),
        ),
    ),
    GroupPlan(
        name="Service Notices",
        welcome="Planned interruptions in your area.",
        members=(_N[18],),
        also_admin=ORGANISATION_ADMIN,
        group_type=Group.Type.CONNECT,
        said=((700, GROUP_ADMIN.number, "Supply in Thane West is interrupted on Sunday from 06:00 to 09:00."),),
    ),
    GroupPlan(
        name="Sunday Cricket",
        welcome="Azad Maidan, 7 in the morning. Bring water.",
        members=(MEMBER.number, _N[12], _N[19]),
        is_private=True,
        said=((5700, GROUP_ADMIN.number, "We are nine. Two more and it is a team."),),
    ),
)


def is_loaded() -> bool:
    return Group.objects.filter(organisation__entra_tenant_id=TENANT_ID, name=PLANS[0].name).exists()


@transaction.atomic
def load() -> bool:
    """Makes the demo organisation, whole or not at all; False when it was there before, and nothing was done."""
    if is_loaded():
        return False
    organisation, _made = Organisation.objects.get_or_create(
        entra_tenant_id=TENANT_ID, defaults={"name": ORGANISATION_NAME}
    )
    for identity in IDENTITIES:
        _enter(identity, organisation)
    _name_people(organisation)
    made: dict[str, Group] = {}
    for plan in PLANS:
        made[plan.name] = _make(plan, organisation, made)
    return True


def get_user(identity: SandboxIdentity) -> User:
    """The account of a demo identity; the demo organisation must be loaded."""
    return User.objects.select_related("organisation").get(subject=identity.subject)


def _enter(identity: SandboxIdentity, organisation: Organisation) -> None:
    """An account as the first sign-in makes it, and its phone where the identity has one verified."""
    user = User.objects.filter(subject=identity.subject).first() or User.objects.create_user(
        identity.subject,
        organisation=organisation,
        name=identity.name,
        email=identity.email,
        is_organisation_admin=identity.is_organisation_admin,
        is_staff=identity.is_staff,
    )
    person = people.person_for(identity.number, organisation_id=organisation.pk, name=identity.name)
    held = VerifiedPhone.objects.active()
    if identity.phone_is_verified and not held.filter(person=person).exists():
        is_primary = not held.filter(user=user, is_primary=True).exists()
        VerifiedPhone.objects.create(user=user, person=person, is_primary=is_primary)
        people.provision(person=person)


def _name_people(organisation: Organisation) -> None:
    for number, name in {**COLLEAGUES, **SUBSCRIBERS}.items():
        person = people.person_for(number, organisation_id=organisation.pk, name=name)
        if number not in NEVER_CAME:
            people.provision(person=person)


def _make(plan: GroupPlan, organisation: Organisation, made: dict[str, Group]) -> Group:
    group = groups.create(
        name=plan.name,
        organisation=None if plan.is_private else organisation,
        admin=people.person_for(plan.admin.number, organisation_id=organisation.pk),
        by=SYSTEM,
        group_type=plan.group_type,
        welcome_message=plan.welcome,
        numbers=plan.members,
        parent=made.get(plan.parent),
    ).group
    if plan.also_admin is not None:
        members.add(group=group, numbers=[plan.also_admin.number], by=SYSTEM, role=Membership.Role.ADMIN)
    if plan.group_type == Group.Type.CONNECT:
        Subscription.objects.bulk_create(
            Subscription(group=group, person=person) for person in people.people_for(SUBSCRIBERS).values()
        )
    Message.objects.bulk_create(_build_messages(plan, group))
    return group


def _build_messages(plan: GroupPlan, group: Group) -> list[Message]:
    now = clock.now()
    audience = Message.Audience.SUBSCRIBERS if plan.group_type == Group.Type.CONNECT else Message.Audience.MEMBERS
    return [
        Message(
            group=group,
            person=people.person_for(number),
            text=text,
            audience=audience,
            sent_at=now - dt.timedelta(minutes=minutes),
        )
        for minutes, number, text in plan.said
    ]
