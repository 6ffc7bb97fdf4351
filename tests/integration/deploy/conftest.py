"""An edge machine without a core, and an authority for certificates."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import UUID

import pytest
from tests.debian import require
from tests.ports import free_ports
from tests.unit.edge.test_repair import SEEN_IN_MAIL
from torture.front import LOOPBACK, Authority, CaddyFront, Site, publish
from torture.processes import WAYPOST, Install, Started

from waypost.events.hit import Hit
from waypost.links.token import Sealer
from waypost.spool import read_segment, sealed_segments

from .own_certificates import SERVERS, running

DOMAIN = "links.example.com"
DESTINATION = "https://shop.example/a?b=c"
HEADERS = (("1.1", 65), ("2", 62))
"""Version of HTTP and kilobytes of cookies; over HTTP/2 curl itself sends no more than 64 KB in all."""
SLOW_SECONDS = 15
"""What the fronts give a client for the head of a request, and for a handshake."""
SEND = UUID("019cb7d4-0d59-7000-8000-000000000001")


@dataclass
class Machine:
    """A machine with `waypost edge`. No control plane is anywhere: all of this goes on while the core is down."""

    install: Install
    edge: Started | None = None

    def start(self) -> None:
        """Return once it serves."""
        self.edge = self.install.start("edge", [*WAYPOST, "edge"])
        self.edge.wait_ready()

    def kill_agent(self) -> None:
        """With SIGKILL, if there is one; the supervisor starts another."""
        for pid in self.edge.children("agent"):
            os.kill(pid, signal.SIGKILL)

    def token(self, domain: str = DOMAIN) -> str:
        return Sealer(self.install.keyring, domain, account=7, profile=8).click(SEND, 3, DESTINATION)

    def redirects(self, site: Site, domain: str = DOMAIN, headers: str = "") -> bool:
        """Whether a link leads where it was meant to, over HTTPS."""
        try:
            return is_redirect(site.get(domain, f"/c/{self.token(domain)}", headers))
        except ConnectionResetError:
            return False

    def redirects_with_cookies(self, site: Site, version: str, kilobytes: int) -> bool:
        """The same by curl, over a version of HTTP."""
        header = self.install.folder / "header"
        header.write_text("Cookie: " + "; ".join(f"name{number}={'x' * 1_000}" for number in range(kilobytes)))
        done = subprocess.run(
            [
                *(require("curl", "curl"), "--silent", "--insecure", "--output", os.devnull, f"--http{version}"),
                *("--header", f"@{header}", "--resolve", f"{DOMAIN}:{site.https_port}:{site.address}"),
                *("--write-out", "%{http_version} %{http_code} %{redirect_url}"),
                f"https://{DOMAIN}:{site.https_port}/c/{self.token()}",
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout == f"{version} 302 {DESTINATION}"

    def not_mended(self, site: Site) -> list[str]:
        """What mail programs do to links, by its name, where a link that it was done to does not redirect."""
        paths = {name: damage(self.token()) for name, damage in SEEN_IN_MAIL.items()}
        paths["letters beyond ASCII appended"] = f"/c/{self.token()}?utm_campaign=gr\xc3\xb6\xc3\x9fe"
        return [name for name, path in paths.items() if not is_redirect(site.get(DOMAIN, path))]

    def hits(self, user_agent: str) -> list[Hit]:
        """Clicks with that User-Agent, of sealed segments."""
        kept = [hit for path in sealed_segments(self.install.spool) for _, hit in read_segment(path).records]
        return [hit for hit in kept if hit.headers.get("user-agent") == user_agent]


class SlowClients:
    """One that never begins TLS, and one that never ends the head of its request."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        address = (self._site.address, self._site.https_port)
        mute = self._held.enter_context(socket.create_connection(address))
        trickling = self._held.enter_context(self._site.connected(DOMAIN))
        trickling.sendall(f"GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nX".encode())
        self._since = time.monotonic()
        self._connections = (mute, trickling)
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def wait_closed(self) -> None:
        """Return once the front has let them go; fails when it does not."""
        for connection in self._connections:
            connection.settimeout(max(1, self._since + SLOW_SECONDS + 10 - time.monotonic()))
            with contextlib.suppress(ConnectionError):
                while connection.recv(4096):
                    pass


def is_redirect(answer: bytes) -> bool:
    """Fronts write the names of headers in their own ways."""
    location = rb"\r\n(?i:location): " + re.escape(DESTINATION.encode()) + rb"\r\n"
    return answer.startswith(b"HTTP/1.1 302 ") and re.search(location, answer) is not None


@pytest.fixture(scope="session")
def ports():
    """Of plain HTTP and HTTPS: the authority comes to these, at whatever address a name is."""
    return free_ports(2)


@pytest.fixture(scope="session")
def authority(tmp_path_factory, ports):
    with Authority(tmp_path_factory.mktemp("authority"), *ports) as authority:
        yield authority


@pytest.fixture(scope="session")
def machine(tmp_path_factory):
    """It knows `DOMAIN`."""
    with new_machine(tmp_path_factory.mktemp("machine")) as machine:
        publish(machine.install, DOMAIN)
        yield machine


@pytest.fixture(scope="session")
def caddy(machine, authority, ports):
    with CaddyFront(machine.install, authority, Site(LOOPBACK, *ports)) as caddy:
        yield caddy


@pytest.fixture(scope="session")
def sites(machine, tmp_path_factory):
    """Where nginx and HAProxy listen."""
    with contextlib.ExitStack() as held:
        sites = {name: Site(LOOPBACK, *free_ports(2)) for name in SERVERS}
        for name, site in sites.items():
            folder = tmp_path_factory.mktemp(name)
            held.enter_context(running(SERVERS[name], machine.install.edge_port, folder, site, DOMAIN))
        yield sites


@pytest.fixture(scope="session")
def slow_clients(caddy, sites):
    """Of each front."""
    with contextlib.ExitStack() as held:
        yield {name: held.enter_context(SlowClients(site)) for name, site in {"caddy": caddy.site, **sites}.items()}


@contextlib.contextmanager
def new_machine(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Machine]:
    """It knows no link domain."""
    with Install(folder, settings, listeners=False) as install:
        machine = Machine(install)
        machine.start()
        yield machine
