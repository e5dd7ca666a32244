"""The phone numbers of an account: proven by PIN, held by one account at a time, one of them primary."""

from __future__ import annotations

import datetime as dt
from functools import partial

from django.db import transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts import policies, sms
from accounts.audit.events import EventType
from accounts.audit.record import record
from accounts.models import Person, PinDevice, User, VerifiedPhone
from accounts.services import credential_hold, notifications, people, pins
from kaizala_console.lib import clock, phone_numbers
from kaizala_console.lib.errors import Conflict, RuleBroken


def send_pin(*, user: User, number: str, region: str | None = None, by: User) -> PinDevice:
    """Sends a PIN that proves who holds `number`; `region` (`IN`) is where a number without `+` is dialled from.

    RuleBroken, before anything is sent, for a number that cannot exist. A number that another account holds is
    treated like any other. Else as `pins.send`.
    """
    try:
        e164 = phone_numbers.parse(number, region, must_be_valid=True)
    except RuleBroken as error:
        raise RuleBroken(error.message, code=error.code, field="number") from None
    return pins.send(user=user, number=e164, purpose=PinDevice.Purpose.VERIFY, by=by)


def seconds_until_next_pin(*, user: User) -> int:
    """How long the account has to wait before it may ask for another PIN; 0 when it may now."""
    return pins.seconds_to_wait(user=user, at=clock.now())


@sensitive_variables("pin")
def verify_pin(*, user: User, device_id: int, pin: str, by: User) -> VerifiedPhone:
    """Lets `user` hold the number to which the PIN went; the account's first number becomes the primary one.

    NotFound for a PIN that was sent for somebody else; Conflict (code `phone_held`), with the PIN used up, when the
    number belongs to another account: only now, with the phone in hand, may that be told. Else as `pins.accept`.
    """
    device = policies.own_pin(user, device_id, PinDevice.Purpose.VERIFY)
    phone = pins.accept(user=user, device=device, pin=pin, by=by, then=partial(_hold, user, device.number, by))
    if phone is None:
        raise Conflict(
            _(
                "Another account has this number. Remove it there, or ask the operator of this console to; "
                "then verify it here again."
            ),
            code="phone_held",
            field="pin",
        )
    return phone


@transaction.atomic
def release(*, phone: VerifiedPhone, by: User) -> VerifiedPhone:
    """Takes the number off the account; its oldest other number becomes the primary one, if this one was.

    NotFound when it is neither the number of `by` nor is `by` an operator; Conflict when it was released already.
    """
    policies.require_own_phone(by, phone)
    user = User.objects.select_for_update().get(pk=phone.user_id)
    phone = _lock_active(phone)
    was_primary = phone.is_primary
    primary = user.verified_phones.active().select_related("person").filter(is_primary=True).first()
    phone.is_primary, phone.released_at = False, clock.now()
    phone.save(update_fields=["is_primary", "released_at"])
    if was_primary:
        heir = user.verified_phones.active().order_by("verified_at", "pk").first()
        if heir is not None:
            heir.is_primary = True
            heir.save(update_fields=["is_primary"])
    _record_event(EventType.PHONE_RELEASED, phone, by)
    _notify_removed(phone, primary=primary)
    return phone


@transaction.atomic
def make_primary(*, phone: VerifiedPhone, by: User) -> VerifiedPhone:
    """Makes this the number that confirmations go to and that the account acts with in groups by default.

    NotFound and Conflict as for `release`. Nothing happens when it is the primary one already.
    """
    policies.require_own_phone(by, phone)
    user = User.objects.select_for_update().get(pk=phone.user_id)
    phone = _lock_active(phone)
    if phone.is_primary:
        return phone
    before = user.verified_phones.active().select_related("person").filter(is_primary=True).first()
    user.verified_phones.active().filter(is_primary=True).update(is_primary=False)
    phone.is_primary = True
    phone.save(update_fields=["is_primary"])
    _record_event(EventType.PHONE_MADE_PRIMARY, phone, by)
    _notify_made_primary(phone, before=before)
    return phone


def _hold(user: User, number: str, by: User) -> VerifiedPhone | None:
    """The number in the account's hands, or None when another account has it. Runs in the PIN's transaction."""
    user = User.objects.select_for_update().get(pk=user.pk)
    there = people.person_for(number, organisation_id=user.organisation_id, name=user.name)
    person = Person.objects.select_for_update().get(pk=there.pk)
    now = clock.now()
    held = VerifiedPhone.objects.active().select_related("user__organisation", "person").filter(person=person).first()
    if held is not None and held.user_id != user.pk:
        _claimed_elsewhere(held, user, by)
        return None
    people.provision(person=person)
    if held is not None:
        held.verified_at = now
        held.save(update_fields=["verified_at"])
        _record_event(EventType.PHONE_VERIFIED, held, by)
        return held
    must_cool_off = credential_hold.is_due(user, person)
    is_first = not user.verified_phones.active().filter(is_primary=True).exists()
    phone = VerifiedPhone.objects.create(user=user, person=person, is_primary=is_first, verified_at=now)
    _record_event(EventType.PHONE_VERIFIED, phone, by)
    locked_until = credential_hold.start(user=user, number=number, by=by) if must_cool_off else None
    _notify_added(phone, locked_until=locked_until)
    return phone


def _claimed_elsewhere(held: VerifiedPhone, claimant: User, by: User) -> None:
    """Tells the trail, and the holder, once a day: a number may have changed hands."""
    facts = {"number": phone_numbers.mask(held.person.number)}
    record(EventType.PHONE_HELD_ELSEWHERE, by=by, subject=claimant, organisation=claimant.organisation, after=facts)
    notifications.queue(
        user=held.user,
        template="accounts/phone_claimed",
        key=f"phone:{held.pk}:claimed:{clock.now().date()}",
        context=facts,
    )


def _lock_active(phone: VerifiedPhone) -> VerifiedPhone:
    held = VerifiedPhone.objects.select_for_update(of=("self",)).select_related("user__organisation", "person")
    found = held.filter(pk=phone.pk, released_at__isnull=True).first()
    if found is None:
        raise Conflict(_("This number was already removed."), code="phone_released")
    return found


def _record_event(tag: EventType, phone: VerifiedPhone, by: User) -> None:
    record(
        tag,
        by=by,
        subject=phone,
        organisation=phone.user.organisation,
        person_id=phone.person_id,
        after={"number": phone_numbers.mask(phone.person.number)},
    )


# ----------------------------------------------------------------------------------------------------
# Who hears of a changed phone number: its account by mail, and by SMS the numbers that could prove who it is before.
#
# Whoever takes over an account adds a number of their own and removes the others. Mail alone would go to a mailbox that
# they may read as well.


LAST_DIGITS = 3


def _notify_added(phone: VerifiedPhone, *, locked_until: dt.datetime | None) -> None:
    """A number was verified: a mail, and an SMS to every other number that the account holds."""
    unlocked_at = locked_until.isoformat() if locked_until else ""
    _mail(phone, "phone_added", unlocked_at=unlocked_at, is_primary=phone.is_primary)
    for other in phone.user.verified_phones.active().exclude(pk=phone.pk).select_related("person"):
        _sms(other, "phone_added", about=phone)


def _notify_removed(phone: VerifiedPhone, *, primary: VerifiedPhone | None) -> None:
    """A number was given back: a mail, and an SMS to it and to the number that was the primary one."""
    _mail(phone, "phone_removed")
    told = {phone.pk: phone}
    if primary is not None:
        told.setdefault(primary.pk, primary)
    for one in told.values():
        _sms(one, "phone_removed", about=phone)


def _notify_made_primary(phone: VerifiedPhone, *, before: VerifiedPhone | None) -> None:
    """Another number is the primary one: a mail, and an SMS to the one before; each once a day for a number."""
    today = str(clock.now().date())
    _mail(phone, "phone_made_primary", again=f":{today}")
    if before is not None:
        _sms(before, "phone_made_primary", about=phone, again=f":{today}")


def _mail(phone: VerifiedPhone, what: str, *, again: str = "", **facts: str | bool) -> None:
    notifications.queue(
        user=phone.user,
        template=f"accounts/{what}",
        key=f"phone:{phone.pk}:{what}{again}",
        context={"number": phone_numbers.mask(phone.person.number), **facts},
    )


def _sms(to: VerifiedPhone, what: str, *, about: VerifiedPhone, again: str = "") -> None:
    """Nothing is queued when no gateway can send it: then the mail has to do."""
    if sms.text_sender() is None:
        return
    notifications.queue(
        user=about.user,
        number=to.person.number,
        template=f"accounts/{what}",
        key=f"sms:{to.pk}:phone:{about.pk}:{what}{again}",
        # A bullet, as in a masked number, would make the SMS three times as long.
        context={"ending": about.person.number[-LAST_DIGITS:]},
    )
