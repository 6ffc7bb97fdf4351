"""Which addresses webhooks may reach (S5): those of the Internet, and nothing that leads inside by another name."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address
AnyNetwork = IPv4Network | IPv6Network

# IANA's special-purpose registry (RFC 6890) as of today, spelled out: what Python's `is_global` says depends on its
# version.
_REFUSED_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network, RFC 791; Linux connects 0.0.0.0 to itself
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598; Alibaba's metadata service at 100.100.100.200
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's host, by a public address
        "169.254.0.0/16",  # link-local, RFC 3927; the metadata service of most clouds at 169.254.169.254
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments, RFC 6890; Oracle's metadata service at 192.0.0.192
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.88.99.0/24",  # relays of 6to4, RFC 7526
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks, RFC 2544
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
# All that is given out (RFC 4291). Outside of it lie ::, ::1, IPv4-mapped and -compatible, NAT64 (64:ff9b::/96 and
# 64:ff9b:1::/48), discard-only, unique local, link-local, site-local and multicast.
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_REFUSED_V6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, RFC 2928; Teredo at 2001::/32 holds an IPv4 address
        "2001:db8::/32",  # documentation, RFC 3849
        "2002::/16",  # 6to4, RFC 3056: holds an IPv4 address
        "3fff::/20",  # documentation, RFC 9637
    )
)
# ISATAP (RFC 5214, section 6.1): an interface id that holds an IPv4 address, under any prefix.
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})


def is_public(address: Address) -> bool:
    """Whether it is an address of the Internet, and leads nowhere else."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None or address not in _GLOBAL_V6:
        return False
    return (int(address) >> 32) & 0xFFFF_FFFF not in _ISATAP and not any(address in network for network in _REFUSED_V6)


def is_within(address: Address, networks: Sequence[AnyNetwork]) -> bool:
    """Whether one of `networks` has it; an IPv4 address written as IPv6 is never within an IPv4 network."""
    return any(address in network for network in networks)
