"""Where a request really comes from."""

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from kaizala_console.lib.client_address import client_address

PROXIES = ["10.0.0.0/8", "2001:db8:1::/48"]


def address(peer: str, forwarded: str | None = None) -> str:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer))


def test_without_proxies_the_peer_is_the_client_whatever_the_header_says(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = []
    assert address("198.51.100.7", "203.0.113.9") == "198.51.100.7"


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),  # the peer is no proxy of ours: the header is a claim
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),  # what the client wrote itself stands further left
        ("10.0.0.1", "203.0.113.9, 10.0.0.2, 10.0.0.3", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),  # from inside
        ("10.0.0.1", "203.0.113.9, garbage, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "garbage", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8:2::9]:4711", "2001:db8:2::9"),
        ("10.0.0.1", "2001:db8:2::9", "2001:db8:2::9"),
        ("2001:db8:1::1", "203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("", "203.0.113.9", ""),
    ],
)
def test_behind_proxies_the_last_hop_that_cannot_be_forged_counts(
    settings: Settings, peer: str, forwarded: str | None, expected: str
) -> None:
    settings.TRUSTED_PROXIES = PROXIES
    assert address(peer, forwarded) == expected
