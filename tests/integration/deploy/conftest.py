"""An edge machine without a core, and an authority for certificates."""

import contextlib
import os
import re
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from torture.front import Authority, Site, publish
from torture.processes import WAYPOST, Install, Started, free_ports

from waypost.events.hit import Hit
from waypost.links.token import Sealer
from waypost.spool import read_segment, sealed_segments

DOMAIN = "links.example.com"
DESTINATION = "https://shop.example/a?b=c"
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

    def hits(self, user_agent: str) -> list[Hit]:
        """Clicks with that User-Agent, of sealed segments."""
        kept = [hit for path in sealed_segments(self.install.spool) for _, hit in read_segment(path).records]
        return [hit for hit in kept if hit.headers.get("user-agent") == user_agent]


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


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """It knows `DOMAIN`."""
    with new_machine(tmp_path_factory.mktemp("machine")) as machine:
        publish(machine.install, DOMAIN)
        yield machine


@contextlib.contextmanager
def new_machine(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Machine]:
    """It knows no link domain."""
    with Install(folder, settings, listeners=False) as install:
        machine = Machine(install)
        machine.start()
        yield machine
