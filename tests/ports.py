"""Ports for the servers of tests, of torture and of benchmarks, several of which may run at once."""

import functools
import itertools
import socket
from collections.abc import Iterator
from pathlib import Path

_FIRST = 10_000
_BLOCK = 500
"""As many as a process has in use, and more: a port comes round again when its server is long gone."""


def free_ports(count: int) -> tuple[int, ...]:
    """Ports of this machine that nobody has, and that no other process is given as long as this one lives.

    So a server finds its port free whenever it starts, and again after a restart. Ports that the kernel chooses could
    be anybody's by then: these lie below them.

    Raises:
        OSError: too many processes have ports.
    """
    return tuple(itertools.islice(filter(_is_free, _block()), count))


@functools.cache
def _block() -> Iterator[int]:
    """The ports of a block that is this process's until it ends, round and round."""
    kernel_chooses_from = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for first in range(_FIRST, kernel_chooses_from - _BLOCK + 1, _BLOCK):
        if _claim(f"waypost-ports-{first}"):
            return itertools.cycle(range(first, first + _BLOCK))
    raise OSError(f"every block of ports from {_FIRST} to {kernel_chooses_from} is taken")


def _claim(name: str) -> bool:
    """Whether this process now has the name: an abstract Unix socket's, which the kernel frees when it ends."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0{name}")
    except OSError:
        claim.close()
        return False
    claim.detach()
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
