"""A3, verified profiles, and L5, HTTPS before the first link: all of it real, from a DNS record to `active`."""

import contextlib
import os
import subprocess
from uuid import UUID

import pytest
from tests.knot import running
from torture.processes import WAYPOST, Install, free_ports

from waypost.config import load
from waypost.control.install import open_database
from waypost.control.profiles.setup import setup_of

from .conftest import Authority, Fronted

DOMAIN = "links.shop.example"


class World:
    """An install with an edge, a TLS front, a certificate authority and two name servers."""

    def __init__(self, front: Fronted, knots) -> None:
        self.front, self.knots = front, knots
        self.install = front.install

    def serve(self, *lines: str) -> None:
        for knot in self.knots:
            knot.serve({"waypost.example": "edge A 127.0.0.1", "shop.example": "\n".join(["@ TXT x", *lines])})

    def verify(self, profile: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*WAYPOST, "profiles", "verify", profile, "--data", self.install.data, "--wait", "90", *words]
        environ = os.environ | self.install.settings
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture
def world(tmp_path):
    http_port, https_port, dns_port = free_ports(3)
    authority = Authority(tmp_path, http_port, https_port)
    with contextlib.ExitStack() as running_parts:
        authority.start()
        running_parts.callback(authority.stop)
        knots = [running_parts.enter_context(running(address, dns_port)) for address in ("127.0.0.1", "127.0.0.2")]
        settings = {
            "WAYPOST_DNS__EDGE_HOST": "edge.waypost.example",
            "WAYPOST_DNS__RESOLVERS": ",".join(knot.resolver for knot in knots),
            "WAYPOST_DNS__ASK_NAME_SERVERS": "false",
            "WAYPOST_DNS__HTTPS_PORT": str(https_port),
            "WAYPOST_DNS__TRUSTED_ROOTS": str(authority.issuing_root()),
        }
        install = running_parts.enter_context(Install(tmp_path / "install", settings))
        front = Fronted(install, authority, http_port, https_port)
        world = World(front, knots)
        world.serve()
        for process in (install.core(), install.edge(), install.agent()):
            process.wait_ready()
        front.start_caddy()
        running_parts.callback(front.stop_caddy)
        yield world


def zone_lines(install, profile):
    """The records that the set-up asks for, as lines of a zone file."""
    settings = load(None, install.settings, install.data)
    database = open_database(settings)
    records = setup_of(database, settings, None, UUID(profile)).records
    database.close()
    for record in records:
        value = f"{record.value}." if record.type == "CNAME" else record.value
        if record.type == "TXT":
            value = " ".join(f'"{value[at : at + 255]}"' for at in range(0, len(value), 255))
        yield f"{record.name}. {record.type} {value}"


def test_a_profile_is_active_once_its_records_are_published_and_pending_while_one_is_gone(world):
    install = world.install
    install.run("accounts", "create", "--name", "Shop", "--email", "owner@shop.example")
    words = ("--name", "Main", "--sending-domain", "shop.example", "--link-domain", DOMAIN)
    profile = install.run("profiles", "create", "owner@shop.example", *words).strip()
    records = list(zone_lines(install, profile))
    world.serve(*records)
    active = world.verify(profile, "--until-active")
    assert active.returncode == 0, active
    assert active.stderr.endswith("It is active.\n")
    assert "valid    HTTPS on links.shop.example" in active.stdout

    world.serve(*(line for line in records if "v=DKIM1; k=rsa" not in line))
    lost = world.verify(profile)
    assert lost.returncode == 1, lost
    assert lost.stderr.startswith("It is pending; not valid yet: ")
    # Links that were sent go on working meanwhile.
    assert b" 404 " in world.front.get(DOMAIN, "/c/unknown").split(b"\r\n")[0]

    world.serve(*records)
    back = world.verify(profile)  # its certificate is there still
    assert (back.returncode, back.stderr) == (0, "It is active.\n"), back
