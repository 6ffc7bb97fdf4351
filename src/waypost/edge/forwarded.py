"""Who the client is and which host it asked for, when a TLS front stands between: by its word, and by nobody else's.

Headers are believed only from trusted networks, and of the two headers that name clients only the one that the front
writes: the other one would reach us as the client sent it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from waypost.config import ForwardedHeader

IpNetwork = IPv4Network | IPv6Network
IpAddress = IPv4Address | IPv6Address

JOINED_HEADERS = frozenset({b"x-forwarded-for", b"forwarded", b"x-forwarded-host"})
"""Several lines of one of these are one list (RFC 9110, section 5.3): what a front adds may be a line of its own."""
HOPS_MAX = 32


@dataclass(frozen=True, slots=True)
class Front:
    """What is trusted, and for what.

    Attributes:
        networks: of proxies whose word is taken.
        header: where they write the client's address.
    """

    networks: tuple[IpNetwork, ...] = ()
    header: ForwardedHeader = ForwardedHeader.X_FORWARDED_FOR
    trusts: Callable[[str], bool] = field(init=False, repr=False, compare=False)
    """Whether an address is one of these networks'. Remembers its answers: each request asks about the same few."""

    def __post_init__(self) -> None:
        trusts = lru_cache(maxsize=4096)(partial(_is_within, self.networks)) if self.networks else _never
        object.__setattr__(self, "trusts", trusts)


def client_of(peer: str, headers: Mapping[bytes, bytes], front: Front) -> str:
    """The client's IP address: the right-most hop that is not a trusted proxy; empty when that one hides.

    Args:
        peer: address of the socket, or empty.
        headers: lower-case names; several lines of `JOINED_HEADERS` joined.
        front: what is trusted.
    """
    if not front.trusts(peer):
        return peer
    name = front.header.value.encode()
    value = headers.get(name)
    if value is None:
        return peer
    node_of = _NODES[front.header]
    client = peer
    # Split at every comma, in quotes or not: an opening quote of the client's must not swallow what the front added.
    for hop in reversed(value.decode("latin-1").split(",")[-HOPS_MAX:]):
        address = _address(node_of(hop))
        if address is None:
            return ""
        client = str(address)
        if not front.trusts(client):
            break
    return client


def host_of(host: bytes, peer: str, headers: Mapping[bytes, bytes], front: Front) -> bytes:
    """The host the client asked for: a trusted proxy's word for it if it gives one, else `host`. Arguments as above."""
    if not front.trusts(peer):
        return host
    if front.header is ForwardedHeader.FORWARDED:
        last = headers.get(b"forwarded", b"").decode("latin-1").rpartition(",")[2]
        return _parameter(last, "host").encode("latin-1") or host
    return headers.get(b"x-forwarded-host", b"").rpartition(b",")[2].strip() or host


def _is_within(networks: tuple[IpNetwork, ...], text: str) -> bool:
    address = _address(text)
    return address is not None and any(address in network for network in networks)


def _never(_: str) -> bool:
    return False


def _address(node: str) -> IpAddress | None:
    """The IP address of a hop: with port or without, in brackets or not; None for a name, `unknown`, or garbage."""
    text = node.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _parameter(element: str, name: str) -> str:
    """A parameter of one element of Forwarded (RFC 7239, section 4), without its quotes; empty when it has none."""
    for pair in element.split(";"):
        key, _, value = pair.partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"')
    return ""


def _whole(element: str) -> str:
    return element


_NODES: Mapping[ForwardedHeader, Callable[[str], str]] = {
    ForwardedHeader.X_FORWARDED_FOR: _whole,
    ForwardedHeader.FORWARDED: lambda element: _parameter(element, "for"),
}


NO_FRONT = Front()
"""Clients connect here themselves."""
