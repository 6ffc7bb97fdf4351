"""Which addresses have a place at all. Text in, numbers out; the C library's parser, because every reader comes by."""

import socket
from bisect import bisect
from ipaddress import ip_network
from typing import Final

from msgspec import Struct

# IANA's registries of special-purpose addresses (RFC 6890 and its successors), and multicast (RFC 5771, RFC 4291): what
# is not somewhere on the Internet. Translated addresses (64:ff9b::/96, 2002::/16, 2001::/32) are those of a gateway.
_NOWHERE: Final = {
    socket.AF_INET: (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3",
    ),
    socket.AF_INET6: (
        "::/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "4000::/2", "8000::/1",
    ),
}  # fmt: skip


def _bounds(networks: tuple[str, ...]) -> list[int]:
    """Where being nowhere begins and ends, in turn."""
    parsed = sorted((int(each[0]), int(each[-1]) + 1) for each in map(ip_network, networks))
    return [edge for first, end in parsed for edge in (first, end)]


_BOUNDS: Final = {family: _bounds(networks) for family, networks in _NOWHERE.items()}


class Block(Struct, frozen=True, gc=False):
    """One address, or the network that is left of one: `first` to `last`, both included."""

    address: str
    """As it was recorded."""
    family: socket.AddressFamily
    first: int
    last: int

    @property
    def bits(self) -> int:
        """32 or 128."""
        return 32 if self.family is socket.AF_INET else 128

    def text(self, number: int) -> str:
        """An address of it, written out."""
        return socket.inet_ntop(self.family, number.to_bytes(self.bits // 8, "big"))


def block_of(address: str) -> Block | None:
    """What a recorded address stands for; None when it is empty, no address, or nowhere on the Internet.

    The IP policy leaves the network of a /24 or a /48, written as its first address. One that a reader really has is
    written no differently, so each such address is taken for its whole network.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        number = int.from_bytes(socket.inet_pton(family, address), "big")
    except (OSError, ValueError):
        return None
    # An odd place in the list of bounds is inside.
    if bisect(_BOUNDS[family], number) & 1:
        return None
    hidden = (1 << (8 if family is socket.AF_INET else 80)) - 1
    return Block(address, family, number, number | hidden if not number & hidden else number)
