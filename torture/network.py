"""Machines with addresses of their own at one switch: network namespaces, which end with the program that made them.

They have no name, and neither an address nor a route outside: runs side by side cannot meet, and nothing is left,
however a run ends. It takes root, or CAP_SYS_ADMIN and CAP_NET_ADMIN.
"""

import ctypes
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.debian import require

_CLONE_NEWNET = 0x40000000  # sched.h
_MINE = "/proc/thread-self/ns/net"
_NETWORK = "192.0.2.{}/24"
"""TEST-NET-1 (RFC 5737)."""
_SWITCH = "switch"
_libc = ctypes.CDLL(None, use_errno=True)


class NoNetworkError(Exception):
    """Network namespaces cannot be had here; the message says what is missing."""


class Machine:
    """Where processes run and connections are made that have an address of their own; ends with `with`.

    Args:
        number: last part of its address.
    """

    def __init__(self, number: int) -> None:
        self.network = _NETWORK.format(number)
        self.address = self.network.partition("/")[0]
        self.descriptor = _new_namespace()
        with self.entered():
            _ip("link set lo up")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        os.close(self.descriptor)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Whatever this thread starts, and connects to, it does there; threads that it starts are there for good."""
        before = os.open(_MINE, os.O_RDONLY)
        try:
            _enter(self.descriptor)
            yield
        finally:
            _enter(before)
            os.close(before)

    def processes(self) -> list[int]:
        """Every one there, but this program."""
        there = os.fstat(self.descriptor).st_ino
        pids = {int(path.name) for path in Path("/proc").glob("[0-9]*")} - {os.getpid()}
        return [pid for pid in pids if _network_of(pid) == there]

    def kill(self) -> None:
        """Everything there at once, with SIGKILL; returns when nothing of it runs."""
        while pids := self.processes():
            with ExitStack() as held:
                ends = []
                for pid in pids:
                    with suppress(ProcessLookupError):
                        ends.append(os.pidfd_open(pid))
                        held.callback(os.close, ends[-1])
                for end in ends:
                    with suppress(ProcessLookupError):
                        signal.pidfd_send_signal(end, signal.SIGKILL)
                for end in ends:
                    select.select([end], [], [])  # readable once it has ended


class Switch(Machine):
    """What connects machines, and a machine itself."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        with self.entered():
            _ip(f"link add {_SWITCH} type bridge")
            _ip(f"address add {self.network} dev {_SWITCH}")
            _ip(f"link set {_SWITCH} up")

    def connect(self, machine: Machine) -> None:
        """Give a machine a wire to here."""
        wire = _wire(machine)
        with self.entered():
            _ip(f"link add {wire} type veth peer name {wire} netns /proc/{os.getpid()}/fd/{machine.descriptor}")
            _ip(f"link set {wire} master {_SWITCH} up")
        with machine.entered():
            _ip(f"address add {machine.network} dev {wire}")
            _ip(f"link set {wire} up")

    def unplug(self, machine: Machine) -> None:
        """Nothing reaches it, and it reaches nothing; nobody is told."""
        with self.entered():
            _ip(f"link set {_wire(machine)} down")

    def plug_in(self, machine: Machine) -> None:
        """Its wire works again."""
        with self.entered():
            _ip(f"link set {_wire(machine)} up")


def _wire(machine: Machine) -> str:
    return f"wire-{machine.address.rpartition('.')[2]}"


def _ip(command: str) -> None:
    done = subprocess.run(
        [require("iproute2", "ip"), *command.split()], capture_output=True, text=True, check=False, close_fds=True
    )
    if done.returncode:
        raise NoNetworkError(f"ip {command}: {done.stderr.strip()}")


def _network_of(pid: int) -> int:
    """Inode of the network namespace that a process is in; 0: it has ended, or is none of ours to ask."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:
        return 0


def _new_namespace() -> int:
    """A descriptor of it; it is there for as long as this, or a process in it."""
    before = os.open(_MINE, os.O_RDONLY)
    try:
        if _libc.unshare(_CLONE_NEWNET):
            raise NoNetworkError(
                f"network namespaces are needed and cannot be made ({os.strerror(ctypes.get_errno())}): run it as "
                "root; in a container, with the capabilities SYS_ADMIN and NET_ADMIN"
            )
        made = os.open(_MINE, os.O_RDONLY)
        _enter(before)
    finally:
        os.close(before)
    return made


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns(2)")
