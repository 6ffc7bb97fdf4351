"""The servers that are measured, each held to its cores: nginx, servers that do nothing else, Waypost.

Each is a context manager: started, checked to listen, stopped at the end.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.edge_machine import pinned
from bench.edge_usage import cpu_seconds
from tests.debian import require
from tests.ports import free_ports
from torture.oracle import counted
from torture.processes import WAYPOST, Install

from waypost.config import load
from waypost.keyfile import create_keyring, keyring_path, load_keyring
from waypost.links.keyring import Keyring
from waypost.spool.counters import LOST, Count

START_SECONDS = 20.0
STOP_SECONDS = 20.0
SETTLE_SECONDS = 20.0
"""For what is written after its answer, when the disk was slow."""

NGINX = "nginx, return 302, access log"
GRANIAN = "Granian RSGI, bare"
BARE = "ours, bare"
PROCESS = "waypost, process"
GROUP = "waypost, group"
FRONTED = "waypost, group, asked by a front"
COMPILED_PROCESS = "waypost compiled, process"
COMPILED_GROUP = "waypost compiled, group"
COMPILED = Path(__file__).parent.parent / "build" / "compiled"
"""`make compiled` leaves there what is compiled of Waypost (docs/adr/0019-compiled-edge.md), and the rest."""

STATIC_DESTINATION = "https://www.example.com/shop/products/12345?utm_source=newsletter&utm_campaign=spring"
_NGINX = """
daemon off; worker_processes {workers}; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log {folder}/access.log combined; keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port}; location / {{ return 302 {destination}; }} }}
}}
"""
_GRANIAN = """
import asyncio, sys
from granian.server.embed import Server
HEADERS = [("location", sys.argv[2]), ("cache-control", "no-store"), ("x-robots-tag", "noindex")]
async def app(scope, protocol):
    for name in ("host", "user-agent", "accept", "accept-language", "sec-fetch-mode"):
        scope.headers.get(name)
    protocol.response_empty(302, HEADERS)
asyncio.run(Server(app, port=int(sys.argv[1]), interface="rsgi", http="1", websockets=False, log_enabled=False).serve())
"""
_BARE = """
import asyncio, sys, time
from waypost.config import HostPort
from waypost.edge.answer import redirect
from waypost.edge.app import listening_socket, serve
from waypost.edge.loop import run
from waypost.telemetry.garbage import spare_the_collector
class Bare:
    def handle(self, request, answer):
        answer(redirect(sys.argv[2]))
spare_the_collector()
listener = listening_socket(HostPort("127.0.0.1", int(sys.argv[1])), shared=False)
run(lambda streams: serve(Bare().handle, listener, streams, asyncio.Event(), time.time))
"""


class NotMeasuredError(Exception):
    """A server did not do what it is measured for."""


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        name: in the table.
        url: scheme, address and port.
        pid: its process; what that starts counts too.
        log: where it writes requests, if it does.
        spool: where it writes clicks, if it does.
        fronted: it is asked as the TLS front asks, which says for whom.
    """

    name: str
    url: str
    pid: int
    log: Path | None = None
    spool: Path | None = None
    fronted: bool = False

    def cpu_seconds(self) -> float:
        """Of all its processes so far."""
        return cpu_seconds(self.pid)

    def kept(self) -> int:
        """Clicks it has written."""
        return counted(self.spool)[Count.KEPT] if self.spool else 0

    def unsynced(self) -> int:
        """Clicks it has answered after the wait limit, before they were known to be on the disk."""
        return counted(self.spool)[Count.UNSYNCED] if self.spool else 0

    def check_kept(self, expected: int) -> None:
        """Return once as many clicks were written since it started.

        Raises:
            NotMeasuredError: they are not, or some are counted as lost.
        """
        if self.spool is None:
            return
        end = time.monotonic() + SETTLE_SECONDS
        while self.kept() < expected and time.monotonic() < end:
            time.sleep(0.05)
        counts = counted(self.spool)
        if counts[Count.KEPT] < expected or any(counts[count] for count in LOST):
            raise NotMeasuredError(f"{self.name} wrote {counts[Count.KEPT]} of {expected} clicks: {dict(counts)}")

    def tidy(self) -> None:
        """Take away what it wrote, before the kernel writes it to the disk that the next one waits for."""
        if self.log:
            os.truncate(self.log, 0)
        if self.spool:
            for segment in self.spool.glob("*/*.seg"):
                segment.unlink()


def new_keyring(folder: Path) -> Keyring:
    """One for all servers of a run, so that all can be asked the same."""
    create_keyring(keyring_path(folder))
    return load_keyring(keyring_path(folder))


@contextlib.contextmanager
def nginx(folder: Path, cores: frozenset[int], workers: int = 1) -> Iterator[Server]:
    (port,) = free_ports(1)
    home = folder / f"nginx-{workers}"
    home.mkdir(exist_ok=True)
    configuration = home / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=home, port=port, workers=workers, destination=STATIC_DESTINATION))
    command = [str(require("nginx-light", binary="nginx")), "-c", str(configuration)]
    with running(NGINX, command, port, home, cores) as pid:
        yield Server(NGINX, f"http://127.0.0.1:{port}", pid, log=home / "access.log")


@contextlib.contextmanager
def granian(folder: Path, cores: frozenset[int]) -> Iterator[Server]:
    with _script(GRANIAN, _GRANIAN, folder / "granian", cores) as server:
        yield server


@contextlib.contextmanager
def bare(folder: Path, cores: frozenset[int]) -> Iterator[Server]:
    """Our HTTP without what a redirect is about: no token, no record."""
    with _script(BARE, _BARE, folder / "bare", cores) as server:
        yield server


@contextlib.contextmanager
def worker(folder: Path, cores: frozenset[int], name: str = GROUP) -> Iterator[Server]:
    """One edge worker, as `waypost up` starts it; its name says which durability."""
    with _install(folder, name, workers=1, listeners=True) as install:
        started = install.edge(under=pinned(cores))
        started.wait_ready(START_SECONDS)
        yield Server(name, f"http://127.0.0.1:{install.edge_port}", started.process.pid, spool=install.spool)


@contextlib.contextmanager
def edge(folder: Path, cores: frozenset[int], workers: int) -> Iterator[Server]:
    """`waypost edge`: a supervisor, an agent and workers, with group commit."""
    with _install(folder, GROUP, workers=workers, listeners=False) as install:
        started = install.start("edge", [*pinned(cores), *WAYPOST, "edge"])
        started.wait_ready()
        yield Server(GROUP, f"http://127.0.0.1:{install.edge_port}", started.process.pid, spool=install.spool)
        started.stop()


def _install(folder: Path, name: str, *, workers: int, listeners: bool) -> Install:
    """A data directory with the run's keyring and the settings that everybody has."""
    home = folder / f"{name.replace(', ', '-')}-{workers}"
    keyring = keyring_path(home / "data")
    keyring.parent.mkdir(parents=True)
    shutil.copy(keyring_path(folder), keyring)
    settings = {
        "WAYPOST_SPOOL__DURABILITY": name.rpartition(" ")[2],
        **_where_from(name),
        # An Install's own is shorter, for those who wait for segments.
        "WAYPOST_SPOOL__SEGMENT_SECONDS": str(load(None, {}, home).spool.segment_seconds),
    }
    return Install(home, settings, workers=workers, listeners=listeners)


def _where_from(name: str) -> dict[str, str]:
    """The environment that makes Python import Waypost in the form that the name says.

    Raises:
        NotMeasuredError: nothing is compiled.
    """
    if "compiled" not in name:
        return {}
    if not list(COMPILED.glob("waypost/edge/http1.*.so")):
        raise NotMeasuredError(f"{COMPILED} has no compiled modules: make compiled")
    return {"PYTHONPATH": str(COMPILED)}


@contextlib.contextmanager
def _script(name: str, script: str, home: Path, cores: frozenset[int]) -> Iterator[Server]:
    (port,) = free_ports(1)
    home.mkdir(exist_ok=True)
    command = [sys.executable, "-c", script, str(port), STATIC_DESTINATION]
    with running(name, command, port, home, cores) as pid:
        yield Server(name, f"http://127.0.0.1:{port}", pid)


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str],
    port: int,
    home: Path,
    cores: frozenset[int],
    environment: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """Start a command and wait until it listens; its process."""
    log = home / "output.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            # It ends with this program, however that ends.
            ["setpriv", "--pdeathsig", "TERM", *pinned(cores), *command],
            env=os.environ | (environment or {}),
            stdout=output,
            stderr=output,
        )
    try:
        end = time.monotonic() + START_SECONDS
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > end:
                raise NotMeasuredError(f"{name} did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
