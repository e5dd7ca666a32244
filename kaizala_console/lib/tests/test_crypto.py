"""Digests, tags and sealing."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from kaizala_console.lib import crypto

OLD, NEW = b"old-pepper-of-thirty-two-bytes-or-more", b"new-pepper-of-thirty-two-bytes-or-more"
OLD_KEY, NEW_KEY = b"old-encryption-key-of-thirty-two-bytes", b"new-encryption-key-of-thirty-two-bytes"
CONTEXT = b"tests.Row:1"


@pytest.fixture(autouse=True)
def rings(settings: Settings) -> None:
    settings.CREDENTIAL_PEPPERS = [("old", OLD)]
    settings.ENCRYPTION_KEYS = [OLD_KEY]


def test_a_token_matches_its_digest_and_no_other_does() -> None:
    pepper_id, digest = crypto.digest("a token")
    assert crypto.matches("a token", pepper_id, digest)
    assert not crypto.matches("another token", pepper_id, digest)
    assert not crypto.matches("a token", pepper_id, digest[:-1])
    assert not crypto.matches("a token", pepper_id, "")
    assert not crypto.matches("a token", pepper_id, "é")


def test_a_digest_tells_nothing_of_the_token_and_needs_the_pepper(settings: Settings) -> None:
    pepper_id, digest = crypto.digest("a token")
    assert len(digest) == 64
    settings.CREDENTIAL_PEPPERS = [("old", NEW)]
    assert crypto.digest("a token") != (pepper_id, digest)
    assert not crypto.matches("a token", pepper_id, digest)


def test_after_a_rotation_old_digests_match_and_new_ones_use_the_new_pepper(settings: Settings) -> None:
    old = crypto.digest("a token")
    settings.CREDENTIAL_PEPPERS = [("new", NEW), ("old", OLD)]
    assert crypto.matches("a token", *old)
    assert crypto.digest("a token")[0] == crypto.current_key_id() == "new"
    assert crypto.known_key_ids() == ["new", "old"]
    settings.CREDENTIAL_PEPPERS = [("new", NEW)]
    assert not crypto.matches("a token", *old), "its pepper left the ring"


def test_a_tag_depends_on_purpose_key_and_every_part(settings: Settings) -> None:
    settings.CREDENTIAL_PEPPERS = [("new", NEW), ("old", OLD)]
    tags = {
        crypto.hmac_tag("access-token", "ab", "c"),
        crypto.hmac_tag("access-token", "a", "bc"),
        crypto.hmac_tag("access-token", "abc"),
        crypto.hmac_tag("access-token", "abc", ""),
        crypto.hmac_tag("successor", "abc"),
        crypto.hmac_tag("access-token", "abc", key_id="old"),
    }
    assert len(tags) == 6
    assert {len(tag) for tag in tags} == {32}


def test_a_tag_by_a_key_that_left_the_ring_is_an_unknown_key() -> None:
    with pytest.raises(crypto.UnknownKey):
        crypto.hmac_tag("purpose", "x", key_id="gone")


@given(st.text())
def test_no_token_raises_not_even_half_a_surrogate_pair(token: str) -> None:
    assert crypto.matches(token, *crypto.digest(token))
    assert not crypto.matches(token + "\ud800", *crypto.digest(token))


@given(st.binary())
def test_what_is_sealed_opens_in_its_context(data: bytes) -> None:
    sealed = crypto.seal(data, context=CONTEXT)
    assert crypto.open_sealed(sealed, context=CONTEXT) == data
    assert crypto.open_sealed(memoryview(sealed), context=CONTEXT) == data  # as PostgreSQL's driver hands it out


def test_what_is_sealed_is_another_text_each_time_and_opens_in_its_row_alone() -> None:
    one, other = (crypto.seal(b"the secret", context=b"tests.Row:1") for _ in range(2))
    assert one != other
    assert b"the secret" not in one
    with pytest.raises(crypto.WrongKey):
        crypto.open_sealed(one, context=b"tests.Row:2")


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\xff\x00", b"gAAAAA"])
def test_what_was_never_sealed_is_a_wrong_key_without_details(damage: bytes) -> None:
    with pytest.raises(crypto.WrongKey) as caught:
        crypto.open_sealed(damage, context=CONTEXT)
    assert str(caught.value) == "what was sealed cannot be opened"


def test_one_flipped_bit_anywhere_is_noticed() -> None:
    sealed = bytearray(crypto.seal(b"secret", context=CONTEXT))
    for place in range(len(sealed)):
        broken = bytearray(sealed)
        broken[place] ^= 4
        if bytes(broken) == bytes(sealed):
            continue
        try:
            assert crypto.open_sealed(bytes(broken), context=CONTEXT) == b"secret"  # bits that base64 does not use
            assert place >= len(sealed) - 4
        except crypto.WrongKey:
            pass


def test_keys_rotate_and_old_ciphertext_can_be_sealed_anew(settings: Settings) -> None:
    sealed = crypto.seal(b"secret", context=CONTEXT)
    settings.ENCRYPTION_KEYS = [NEW_KEY, OLD_KEY]
    assert crypto.open_sealed(sealed, context=CONTEXT) == b"secret"
    renewed = crypto.seal(crypto.open_sealed(sealed, context=CONTEXT), context=CONTEXT)
    settings.ENCRYPTION_KEYS = [NEW_KEY]
    assert crypto.open_sealed(renewed, context=CONTEXT) == b"secret"
    with pytest.raises(crypto.WrongKey):
        crypto.open_sealed(sealed, context=CONTEXT)


def test_with_an_extra_secret_neither_it_nor_the_servers_keys_alone_open_anything(settings: Settings) -> None:
    browser = b"sixteen-bytes-at-least"
    sealed = crypto.seal_with_secret(b"secret", context=CONTEXT, extra_secret=browser)
    assert crypto.open_with_secret(sealed, context=CONTEXT, extra_secret=browser) == b"secret"
    with pytest.raises(crypto.WrongKey):
        crypto.open_sealed(sealed, context=CONTEXT)
    for context, wrong in ((CONTEXT, b"another-browsers-secret"), (CONTEXT, b""), (b"tests.Row:2", browser)):
        with pytest.raises(crypto.WrongKey):
            crypto.open_with_secret(sealed, context=context, extra_secret=wrong)
    settings.ENCRYPTION_KEYS = [NEW_KEY]
    with pytest.raises(crypto.WrongKey):
        crypto.open_with_secret(sealed, context=CONTEXT, extra_secret=browser)


@pytest.mark.parametrize(
    ("name", "ring"),
    [
        ("CREDENTIAL_PEPPERS", []),
        ("CREDENTIAL_PEPPERS", [("short", b"short")]),
        ("ENCRYPTION_KEYS", []),
        ("ENCRYPTION_KEYS", [b"short"]),
    ],
)
def test_a_ring_that_protects_nothing_is_a_configuration_error(settings: Settings, name: str, ring: list[Any]) -> None:
    setattr(settings, name, ring)
    with pytest.raises(ImproperlyConfigured, match=name):
        crypto.seal(crypto.digest("token")[1].encode(), context=CONTEXT)


def test_careless_sealing_is_refused() -> None:
    with pytest.raises(ValueError, match="context"):
        crypto.seal(b"secret", context=b"")
    with pytest.raises(ValueError, match="16 bytes"):
        crypto.seal_with_secret(b"secret", context=CONTEXT, extra_secret=b"guessable")
