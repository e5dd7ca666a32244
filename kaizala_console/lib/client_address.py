"""Where a request really comes from, when proxies stand in between."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def client_address(request: HttpRequest) -> str:
    """Return the client's IP address, or "" when the server gives none (a Unix socket)."""
    return read_address(request.META)


def read_address(environ: Mapping[str, str]) -> str:
    """As ``client_address``, of what the server says of a request.

    ``X-Forwarded-For`` is believed only when the peer is in ``settings.TRUSTED_PROXIES`` (a list of CIDRs),
    and then from the right: each proxy appends the address it saw, so the right-most one that is not itself a
    trusted proxy is the last that cannot be forged. An entry that is no address ends the search there.
    """
    peer = environ.get("REMOTE_ADDR") or ""
    trusted: list[str] = getattr(settings, "TRUSTED_PROXIES", [])
    if not trusted:
        return peer
    networks = _networks(tuple(trusted))
    address = _parse(peer)
    if address is None or not _within(address, networks):
        return peer
    for hop in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        earlier = _parse(hop)
        if earlier is None:
            break
        address = earlier
        if not _within(address, networks):
            break
    return str(address)


def get_network(address: str) -> str:
    """Return what one subscriber has: an IPv4 address, or the /64 of an IPv6 one; text that is no address as it is."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, 64), strict=False))
    return address if parsed is None else str(parsed)


def is_in(address: str, networks: Sequence[str]) -> bool:
    """Whether the address lies in one of these networks (CIDR); text that is no address lies nowhere."""
    return _is_in(address, tuple(networks))


@lru_cache(maxsize=1024)
def _is_in(address: str, cidrs: tuple[str, ...]) -> bool:
    parsed = _parse(address)
    return parsed is not None and _within(parsed, _networks(cidrs))


@lru_cache(maxsize=8)
def _networks(cidrs: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(cidr, strict=False) for cidr in cidrs)


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def _parse(text: str) -> Address | None:
    """Read one hop, with or without a port (``192.0.2.1:4711``, ``[2001:db8::1]:4711``)."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
