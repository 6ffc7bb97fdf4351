"""Who the client is and which host it asked for, when a TLS front stands between: by its word, and by nobody else's.

Headers are believed only from trusted networks, and of the two headers that name clients only the one that the front
writes: the other one would reach us as the client sent it.
"""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network

from waypost.config import ForwardedHeader

IpNetwork = IPv4Network | IPv6Network

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
    trusts_peer: Callable[[str], bool] = field(init=False, repr=False, compare=False)
    """Whether a socket's address is one of these networks'. Remembers its answers: fronts are few."""
    _masks: tuple[tuple[int, int, int], ...] = field(init=False, repr=False, compare=False)
    """Bytes of an address, mask, and what it leaves: behind a front each reader's address is looked at, once."""
    name: bytes = field(init=False, repr=False, compare=False)
    """Of the header."""
    node_of: Callable[[str], str] = field(init=False, repr=False, compare=False)
    """The client's address in an element of the header's list."""

    def __post_init__(self) -> None:
        masks = tuple((each.max_prefixlen // 8, int(each.netmask), int(each.network_address)) for each in self.networks)
        object.__setattr__(self, "_masks", masks)
        object.__setattr__(self, "name", self.header.value.encode())
        object.__setattr__(self, "node_of", _NODES[self.header])
        object.__setattr__(self, "trusts_peer", lru_cache(maxsize=1024)(lambda peer: self.trusts(_packed(peer))))

    def trusts(self, packed: bytes | None) -> bool:
        """Whether an address, as `_packed` gives it, is one of these networks'."""
        if packed is None:
            return False
        length, number = len(packed), int.from_bytes(packed)
        return any(length == size and number & mask == network for size, mask, network in self._masks)


def client_of(peer: str, headers: Mapping[bytes, bytes], front: Front) -> str:
    """The client's IP address: the right-most hop that is not a trusted proxy; empty when that one hides.

    Args:
        peer: address of the socket, or empty.
        headers: lower-case names; several lines of `JOINED_HEADERS` joined.
        front: what is trusted.
    """
    if not front.trusts_peer(peer):
        return peer
    value = headers.get(front.name)
    if value is None:
        return peer
    client = peer
    # Split at every comma, in quotes or not: an opening quote of the client's must not swallow what the front added.
    for hop in reversed(value.decode("latin-1").split(",")[-HOPS_MAX:]):
        packed = _packed(front.node_of(hop))
        if packed is None:
            return ""
        client = socket.inet_ntop(_FAMILIES[len(packed)], packed)
        if not front.trusts(packed):
            break
    return client


def host_of(host: bytes, peer: str, headers: Mapping[bytes, bytes], front: Front) -> bytes:
    """The host the client asked for: a trusted proxy's word for it if it gives one, else `host`. Arguments as above."""
    if not front.trusts_peer(peer):
        return host
    if front.header is ForwardedHeader.FORWARDED:
        last = headers.get(b"forwarded", b"").decode("latin-1").rpartition(",")[2]
        return _parameter(last, "host").encode("latin-1") or host
    return headers.get(b"x-forwarded-host", b"").rpartition(b",")[2].strip() or host


def _packed(node: str) -> bytes | None:
    """The IP address of a hop, with port or without, in brackets or not: 4 bytes, or 16; None for anything else.

    An IPv4 address mapped into IPv6 is 4 bytes.
    """
    text = node.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    text = text.partition("%")[0]
    try:
        packed = socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):  # ValueError: a NUL in it
        return None
    return packed.removeprefix(_MAPPED) if len(packed) == _IPV6_BYTES else packed


_IPV6_BYTES = 16
_MAPPED = bytes(10) + b"\xff\xff"
_FAMILIES = {4: socket.AF_INET, _IPV6_BYTES: socket.AF_INET6}


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
