"""The form of credentials: what is made is read again, and nothing else is."""

from __future__ import annotations

import datetime as dt
import string
from uuid import UUID

import pytest
import time_machine
from hypothesis import example, given
from hypothesis import strategies as st
from pytest_django import Settings

from connectors import token_format
from connectors.token_format import CredentialKind
from kaizala_console.lib import clock, crypto
from kaizala_console.lib.logging import redact

OPAQUE = [CredentialKind.SECRET, CredentialKind.REFRESH]
GRANT = UUID("01a20d99-5653-7473-b453-74df8c4f2973")
KEYS = [("20261124", b"n" * 32), ("20260801", b"o" * 32)]
TODAY = dt.datetime(2026, 11, 24, 9, tzinfo=dt.UTC)  # the day of the newer key
HOUR = dt.timedelta(hours=1)


def minted(
    *,
    refresh_token_id: int = 7,
    grant_id: UUID = GRANT,
    expires_at: dt.datetime | None = None,
    bot_id: UUID | None = None,
) -> str:
    return token_format.mint_access_token(
        refresh_token_id=refresh_token_id,
        grant_id=grant_id,
        generation=0,
        expires_at=expires_at or clock.now() + HOUR,
        bot_id=bot_id,
    )


def made(kind: CredentialKind) -> str:
    return minted() if kind is CredentialKind.ACCESS else token_format.generate(kind).token


@pytest.mark.parametrize("kind", OPAQUE)
def test_a_new_credential_is_read_again_and_matches_its_own_digest_alone(kind: CredentialKind) -> None:
    one, other = token_format.generate(kind), token_format.generate(kind)
    parsed = token_format.parse(kind, one.token)
    assert parsed is not None
    assert parsed.public_part == one.public_part != other.public_part
    assert parsed.matches(one.pepper_id, one.digest)
    assert not parsed.matches(other.pepper_id, other.digest)


@pytest.mark.parametrize("kind", OPAQUE)
def test_the_stored_parts_do_not_hold_the_token(kind: CredentialKind) -> None:
    made = token_format.generate(kind)
    secret_part = made.token[21:]
    assert secret_part not in made.public_part + made.pepper_id + made.digest
    assert made.token not in repr(made)
    assert secret_part not in repr(token_format.parse(kind, made.token))


@pytest.mark.parametrize("kind", list(CredentialKind))
def test_a_credential_is_not_taken_for_another_kind(kind: CredentialKind) -> None:
    token = made(kind)
    for pasted in (token, f"  {token}\r\n"):
        assert [other for other in CredentialKind if token_format.parse(other, pasted)] == [kind]


@given(position=st.integers(0, 69), character=st.sampled_from(string.ascii_letters + string.digits + "_- é\0"))
def test_a_credential_with_one_other_character_has_no_right_checksum(position: int, character: str) -> None:
    token = token_format.generate(CredentialKind.REFRESH).token
    altered = token[:position] + character + token[position + 1 :]
    assert (token_format.parse(CredentialKind.REFRESH, altered) is None) == (altered.strip() != token)


@given(length=st.integers(0, 69))
def test_a_credential_that_was_cut_off_is_none(length: int) -> None:
    token = token_format.generate(CredentialKind.SECRET).token
    assert token_format.parse(CredentialKind.SECRET, token[:length]) is None


@pytest.mark.parametrize("kind", list(CredentialKind))
def test_a_leak_scanner_finds_a_credential_in_any_text_and_the_log_strikes_it_out(kind: CredentialKind) -> None:
    token = made(kind)
    found = token_format.PATTERN.search(f'config = {{"token": "{token}"}};')
    assert found is not None
    assert found.group() == token
    assert token[8:] not in str(redact({"event": f"got {token}"}))


def test_the_successor_of_a_token_is_always_the_same_and_of_two_never() -> None:
    old, another = token_format.generate(CredentialKind.REFRESH), token_format.generate(CredentialKind.REFRESH)
    one, again = token_format.derive_successor(old.digest), token_format.derive_successor(old.digest)
    assert one == again
    assert one.token not in (old.token, token_format.derive_successor(another.digest).token)
    parsed = token_format.parse(CredentialKind.REFRESH, one.token)
    assert parsed is not None
    assert parsed.matches(one.pepper_id, one.digest)


def test_the_successor_does_not_change_when_a_new_pepper_comes_first(settings: Settings) -> None:
    digest = token_format.generate(CredentialKind.REFRESH).digest
    before = token_format.derive_successor(digest)
    settings.CREDENTIAL_PEPPERS = [("2027a", b"n" * 32), *settings.CREDENTIAL_PEPPERS]
    assert token_format.derive_successor(digest).token != before.token
    assert token_format.derive_successor(digest, key_id=before.pepper_id).token == before.token


def test_a_successor_whose_pepper_has_left_the_ring_cannot_be_derived() -> None:
    with pytest.raises(crypto.UnknownKey):
        token_format.derive_successor(token_format.generate(CredentialKind.REFRESH).digest, key_id="gone")


@given(
    refresh_token_id=st.integers(1, 2**63 - 1),
    grant_id=st.uuids(),
    bot_id=st.none() | st.uuids(),
    seconds=st.integers(-(10**8), 86_400),
)
def test_an_access_token_says_what_was_put_into_it(
    refresh_token_id: int, grant_id: UUID, bot_id: UUID | None, seconds: int
) -> None:
    end = clock.now() + dt.timedelta(seconds=seconds)
    token = minted(refresh_token_id=refresh_token_id, grant_id=grant_id, bot_id=bot_id, expires_at=end)
    assert token_format.PATTERN.fullmatch(token)
    claims = token_format.read_access_token(token)
    assert claims is not None
    assert (claims.refresh_token_id, claims.grant_id, claims.bot_id) == (refresh_token_id, grant_id, bot_id)
    assert clock.epoch_ms(claims.expires_at) == clock.epoch_ms(end)


@given(data=st.data(), bot_id=st.none() | st.uuids())
def test_an_access_token_cannot_be_altered(data: st.DataObject, bot_id: UUID | None) -> None:
    token = minted(bot_id=bot_id)
    body = token[:-6]
    position = data.draw(st.integers(5, len(body) - 1))
    character = data.draw(st.sampled_from(string.ascii_letters + string.digits + "-_"))
    altered = body[:position] + character + body[position + 1 :]
    # The checksum is no secret: an attacker makes a new one.
    claims = token_format.read_access_token(altered + token_format._checksum(altered))
    assert claims in (None, token_format.read_access_token(token))
    if position < len(body) - 1 and altered != body:  # the last character has bits that say nothing
        assert claims is None


def test_a_key_is_accepted_for_what_it_signed_while_it_was_the_newest(settings: Settings) -> None:
    with time_machine.travel(TODAY, tick=False) as traveller:
        settings.ACCESS_TOKEN_KEYS = KEYS[1:]
        before = minted(expires_at=TODAY + 24 * HOUR)
        settings.ACCESS_TOKEN_KEYS = KEYS
        after = minted(expires_at=TODAY + 24 * HOUR)
        assert token_format.read_access_token(before)
        assert token_format.read_access_token(after)
        traveller.shift(24 * HOUR)
        settings.ACCESS_TOKEN_KEYS = KEYS[1:]  # who has the older key signs with it still
        late = minted(expires_at=clock.now() + HOUR)
        settings.ACCESS_TOKEN_KEYS = KEYS
        assert token_format.read_access_token(late) is None


def test_a_key_that_got_out_is_put_out_by_removing_it_and_gives_no_long_life(settings: Settings) -> None:
    with time_machine.travel(TODAY, tick=False) as traveller:
        settings.ACCESS_TOKEN_KEYS = KEYS[1:]
        short, long = minted(expires_at=TODAY + HOUR), minted(expires_at=TODAY + dt.timedelta(days=3000))
        traveller.shift(1000 * HOUR)
        from_the_future = minted(expires_at=clock.now() + HOUR)
        traveller.shift(-1000 * HOUR)
        settings.ACCESS_TOKEN_KEYS = KEYS
        assert token_format.read_access_token(short)
        assert token_format.read_access_token(long) is None
        assert token_format.read_access_token(from_the_future) is None
        settings.ACCESS_TOKEN_KEYS = KEYS[:1]
        assert token_format.read_access_token(short) is None


def test_a_pepper_signs_no_access_token(settings: Settings) -> None:
    token = minted()
    settings.CREDENTIAL_PEPPERS = [("2027a", b"p" * 32)]
    assert token_format.read_access_token(token)
    settings.ACCESS_TOKEN_KEYS, settings.CREDENTIAL_PEPPERS = settings.CREDENTIAL_PEPPERS, settings.ACCESS_TOKEN_KEYS
    assert token_format.read_access_token(token) is None


def test_clocks_of_two_machines_may_differ_by_a_moment() -> None:
    with time_machine.travel(TODAY, tick=False) as traveller:
        token = minted(expires_at=TODAY + 24 * HOUR)
        traveller.shift(dt.timedelta(seconds=-2))
        assert token_format.read_access_token(token)


def test_an_access_token_cannot_be_generated_without_a_refresh_token() -> None:
    with pytest.raises(ValueError, match="minted"):
        token_format.generate(CredentialKind.ACCESS)


@given(text=st.text() | st.from_regex(r"kz(cs|rt|at)_[A-Za-z0-9_-]{0,140}"))
@example("kzat_" + "A" * 91)
@example("kzrt_")
@example("AB12CD34EF")  # an old secret
def test_any_text_is_read_without_an_exception(text: str) -> None:
    for kind in CredentialKind:
        assert token_format.parse(kind, text) is None
    assert token_format.read_access_token(text) is None
