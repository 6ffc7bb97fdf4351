"""A3, verified profiles, and L5, HTTPS before the first link: all of it real, from a DNS record to `active`."""

import contextlib
import os
import subprocess
from uuid import UUID

import pytest
from tests.knot import running
from tests.ports import free_ports
from torture.front import CaddyFront, Site
from torture.processes import WAYPOST, Install

from waypost.config import load
from waypost.control.install import open_database
from waypost.control.profiles.setup import setup_of

DOMAIN = "links.shop.example"
ADDRESS = "127.0.0.3"
"""Other fronts have the authority's ports at 127.0.0.1."""


class World:
    """An install with an edge, a TLS front, a certificate authority and two name servers."""

    def __init__(self, install: Install, site: Site, knots) -> None:
        self.install, self.site, self.knots = install, site, knots

    def serve(self, *lines: str) -> None:
        for knot in self.knots:
            knot.serve({"waypost.example": f"edge A {ADDRESS}", "shop.example": "\n".join(["@ TXT x", *lines])})

    def verify(self, profile: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*WAYPOST, "profiles", "verify", profile, "--data", self.install.data, "--wait", "90", *words]
        environ = os.environ | self.install.settings
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture
def world(tmp_path, authority, ports):
    [dns_port] = free_ports(1)
    roots = tmp_path / "roots.pem"
    roots.write_text(authority.issuing_root())
    site = Site(ADDRESS, *ports)
    authority.resolve(DOMAIN, ADDRESS)
    with contextlib.ExitStack() as held:
        knots = [held.enter_context(running(address, dns_port)) for address in ("127.0.0.1", "127.0.0.2")]
        settings = {
            "WAYPOST_DNS__EDGE_HOST": "edge.waypost.example",
            "WAYPOST_DNS__RESOLVERS": ",".join(knot.resolver for knot in knots),
            "WAYPOST_DNS__ASK_NAME_SERVERS": "false",
            "WAYPOST_DNS__HTTPS_PORT": str(site.https_port),
            "WAYPOST_DNS__TRUSTED_ROOTS": str(roots),
        }
        install = held.enter_context(Install(tmp_path / "install", settings))
        world = World(install, site, knots)
        world.serve()
        for process in (install.core(), install.edge(), install.agent()):
            process.wait_ready()
        held.enter_context(CaddyFront(install, authority, site))
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
    assert b" 404 " in world.site.get(DOMAIN, "/c/unknown").split(b"\r\n")[0]

    world.serve(*records)
    back = world.verify(profile)  # its certificate is there still
    assert (back.returncode, back.stderr) == (0, "It is active.\n"), back
