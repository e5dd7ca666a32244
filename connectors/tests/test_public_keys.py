"""Public keys as people paste them: read whatever is right, and every wrong one told why without being repeated."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from connectors import public_keys
from connectors.tests.keys import Pair, p256, x25519
from kaizala_console.lib.errors import RuleBroken

TOKEN = "kzrt_of-no-meaning"


@pytest.fixture(params=[x25519, p256], ids=["X25519", "P-256"])
def pair(request: pytest.FixtureRequest) -> Pair:
    made: Pair = request.param()
    return made


def code_of(text: str) -> str:
    with pytest.raises(RuleBroken) as caught:
        public_keys.parse(text)
    assert caught.value.field == "public_key"
    said = str(caught.value)
    assert not [part for part in text.split() if len(part) > 20 and part in said]
    return caught.value.code


def test_jwk_and_pem_are_the_same_key_with_the_same_fingerprint(pair: Pair) -> None:
    key = public_keys.parse(pair.public_jwk)
    for around in ("{}", "\n\n {} \n", "\ufeff{}"):
        assert public_keys.parse(around.replace("{}", pair.public_pem)) == key
    assert key.fingerprint == pair.fingerprint
    assert len(key.fingerprint) == 43


def test_the_fingerprint_is_the_thumbprint_of_rfc_7638() -> None:
    # RFC 8037, appendix A.6, gives this X25519 key; its thumbprint is that of any JOSE library.
    jwk: dict[str, Any] = {"kty": "OKP", "crv": "X25519", "x": "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}
    assert public_keys.parse(json.dumps(jwk)).fingerprint == OKPKey.import_key(jwk).thumbprint()
    assert public_keys.parse(json.dumps({"alg": "ECDH-ES", "use": "enc", "kid": "Bob", **jwk})).jwk == jwk


def test_a_set_of_one_key_is_that_key(pair: Pair) -> None:
    assert public_keys.parse(f'{{"keys": [{pair.public_jwk}]}}').fingerprint == pair.fingerprint
    assert code_of(f'{{"keys": [{pair.public_jwk}, {pair.public_jwk}]}}') == "key_set"
    assert code_of('{"keys": []}') == "key_set"


def test_what_is_sealed_opens_with_the_private_key_alone(pair: Pair) -> None:
    key = public_keys.parse(pair.public_jwk)
    sealed = public_keys.seal(TOKEN, jwk=key.jwk, fingerprint=key.fingerprint)
    assert pair.opens(sealed) == TOKEN
    other = x25519() if key.curve == "X25519" else p256()
    with pytest.raises(JoseError):
        other.opens(sealed)


def test_what_is_sealed_says_how_and_for_whom_and_is_never_the_same_twice(pair: Pair) -> None:
    key = public_keys.parse(pair.public_jwk)
    sealed = [public_keys.seal(TOKEN, jwk=key.jwk, fingerprint=key.fingerprint) for _ in range(2)]
    header = json.loads(urlsafe_b64decode(sealed[0].partition(".")[0] + "=="))
    assert (header["alg"], header["enc"], header["kid"]) == ("ECDH-ES+A256KW", "A256GCM", pair.fingerprint)
    assert sealed[0] != sealed[1]
    assert TOKEN not in sealed[0]


def test_a_private_key_is_refused_in_every_form(pair: Pair) -> None:
    for private in (pair.private_jwk, pair.private_pem, f'{{"keys": [{pair.private_jwk}]}}'):
        assert code_of(private) == "key_private"
    assert code_of('{"kty": "oct", "k": "c2VjcmV0"}') == "key_private"


def test_other_kinds_of_key_are_refused() -> None:
    signing = OKPKey.generate_key("Ed25519")
    for other in (Pair(signing), Pair(ECKey.generate_key("P-384"))):
        assert code_of(other.public_jwk) == "key_kind"
        assert code_of(other.public_pem) == "key_kind"
    assert code_of(json.dumps({**x25519().key.as_dict(private=False), "use": "sig"})) == "key_use"


@pytest.mark.parametrize(
    "members",
    [
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},  # the point that agrees on zero with everybody
        {"kty": "OKP", "crv": "X25519", "x": "AAAA"},
        {"kty": "OKP", "crv": "X25519", "x": "é" * 43},
        {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},  # not on the curve
        {"kty": "EC", "crv": "P-256", "x": "!", "y": "A" * 43},
    ],
)
def test_a_point_to_which_no_private_key_belongs_is_refused(members: dict[str, str]) -> None:
    assert code_of(json.dumps(members)) == "key_invalid"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "key_missing"),
        ("{" * 3000, "key_form"),
        ("{}", "key_kind"),
        ('{"kty": "OKP", "crv": "X25519"}', "key_form"),
        ('{"kty": "OKP", "crv": "X25519", "x": ["A"]}', "key_form"),
        ("ssh-ed25519 AAAA", "key_form"),
        ("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEA\n-----END PUBLIC KEY-----", "key_form"),
        ("x" * 5000, "key_too_long"),
    ],
)
def test_what_is_no_key_is_told_why(text: str, code: str) -> None:
    assert code_of(text) == code


json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
members = st.fixed_dictionaries(
    {},
    optional={
        "kty": st.sampled_from(["OKP", "EC", "RSA"]) | json_values,
        "crv": st.sampled_from(["X25519", "P-256"]) | json_values,
        "x": st.text("AQgw-_z", min_size=43, max_size=43) | json_values,
        "y": st.text("AQgw-_z", min_size=43, max_size=43) | json_values,
        "use": json_values,
        "keys": json_values,
    },
)


@given(
    st.text(max_size=300) | members.map(json.dumps) | st.text().map(lambda body: f"-----BEGIN PUBLIC KEY-----\n{body}")
)
def test_whatever_is_pasted_is_a_key_or_a_clear_word(text: str) -> None:
    try:
        key = public_keys.parse(text)
    except RuleBroken:
        return
    assert public_keys.seal(TOKEN, jwk=key.jwk, fingerprint=key.fingerprint)
