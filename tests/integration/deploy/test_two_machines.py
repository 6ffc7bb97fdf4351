"""deploy/two-machines, as it stands: two machines under one name from its files, and the core's goes away."""

import contextlib
import os
import re
import ssl
import subprocess
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.debian import require
from tests.ports import free_ports
from torture.front import Authority, CaddyFront, Site, may_be_had, wait_for
from torture.processes import WAYPOST, Install

from waypost.agent.core import check_configured
from waypost.cli.caddyfile import Front
from waypost.cli.main import main
from waypost.config import load

from .conftest import Machine

EXAMPLE = Path(__file__).parents[3] / "deploy" / "two-machines"
LINKS = "go.shop.example"
CORE_NAME, EDGE_NAME = "core.example.com", "paris.example.com"
CORE_ADDRESS, EDGE_ADDRESS = "127.0.0.20", "127.0.0.21"
MACHINES = ("core", "edge")


@pytest.mark.parametrize("machine", MACHINES)
def test_the_settings_are_right(machine):
    path = EXAMPLE / machine / "waypost.toml"
    result = CliRunner().invoke(main, ["config", "check", "--config", str(path)])
    assert result.output.startswith("The settings are right"), result.output
    if machine == "edge":
        check_configured(load(path, {}, Path("data")))


@pytest.mark.parametrize("machine", MACHINES)
def test_the_caddyfile_is_what_its_command_prints_and_caddy_takes_it(machine, tmp_path):
    path = EXAMPLE / machine / "Caddyfile"
    commands = re.findall(r"/opt/waypost/bin/waypost (caddyfile .*) > /etc/caddy/Caddyfile", readme())
    arguments = commands[MACHINES.index(machine)].replace("/etc/waypost", str(EXAMPLE / machine)).split()
    assert CliRunner().invoke(main, arguments).output == path.read_text()
    validate = [require("caddy", "caddy"), "validate", "--adapter", "caddyfile", "--config", path]
    done = subprocess.run(
        validate, check=False, env=os.environ | {"HOME": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def readme():
    return (EXAMPLE / "README.md").read_text()


def test_both_redirect_over_https_and_the_edge_goes_on_when_the_core_s_machine_is_gone(tmp_path):
    ports = free_ports(2)
    with ExitStack() as held:
        authority = held.enter_context(Authority(tmp_path / "authority", *ports))
        # Their names, as DNS says them, on this machine: for these processes alone.
        hosts = tmp_path / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n{CORE_ADDRESS} {CORE_NAME}\n{EDGE_ADDRESS} {EDGE_NAME}\n")
        under = ["unshare", "--mount", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
        authority.resolve(CORE_NAME, CORE_ADDRESS)
        authority.resolve(LINKS, CORE_ADDRESS, EDGE_ADDRESS)

        core = Machine(held.enter_context(Install(tmp_path / "core", listeners=False)))
        # The relay of the example is not asked, because nothing is sent.
        core.edge = core.install.start("up", [*WAYPOST, "up", "--config", str(EXAMPLE / "core" / "waypost.toml")])
        core.edge.wait_ready()
        options = Front(admin="off", api=CORE_NAME, challenge_peer=f"{EDGE_NAME}:{ports[0]}")
        site = Site(CORE_ADDRESS, *ports)
        core_caddy = held.enter_context(CaddyFront(core.install, authority, site, options=options, under=under))
        wait_for(lambda: api_answers(site), "the API over https")

        added = operate(core, "edges", "add", "paris")
        trusted = tmp_path / "trusted.pem"
        trusted.write_text(authority.issuing_root())
        edge = Machine(
            held.enter_context(Install(tmp_path / "edge", listeners=False, keyring=False)),
        )
        edge.install.settings |= {
            "WAYPOST_EDGE__CONTROL_URL": f"https://{CORE_NAME}:{ports[1]}",
            "WAYPOST_EDGE__CREDENTIAL": re.search('credential = "(.*)"', added)[1],
            "SSL_CERT_FILE": str(trusted),
        }
        command = [*under, *WAYPOST, "edge", "--config", str(EXAMPLE / "edge" / "waypost.toml")]
        edge.edge = edge.install.start("edge", command)
        edge.edge.wait_ready()
        options = Front(admin="off", challenge_peer=f"{CORE_NAME}:{ports[0]}")
        edge_site = Site(EDGE_ADDRESS, *ports)
        held.enter_context(CaddyFront(edge.install, authority, edge_site, options=options, under=under))

        operate(core, "accounts", "create", "--name", "Shop", "--email", "owner@shop.example")
        operate(core, "accounts", "approve", "owner@shop.example")
        domains = ("--sending-domain", "shop.example", "--link-domain", LINKS)
        operate(core, "profiles", "create", "owner@shop.example", "--name", "Shop", *domains)
        operate(core, "link-domains", "publish", LINKS)
        for machine, its_site in ((core, site), (edge, edge_site)):
            wait_for(lambda machine=machine: may_be_had(machine.install, LINKS), "the link domain")
            assert machine.redirects(its_site, LINKS)
        wait_for(lambda: metric(edge, "waypost_shipped_records_total") == 1, "the click on the core")

        core_caddy.kill()
        core.edge.kill()
        assert edge.redirects(edge_site, LINKS)


def operate(core, *command):
    """A command of the operator's; in this process, because a new one would spend seconds on imports, each time."""
    done = CliRunner().invoke(main, [*command, "--data", str(core.install.data)], env=core.install.settings)
    assert done.exit_code == 0, done.output
    return done.output


def api_answers(site):
    """As the README's curl sees it; its certificate is ordered when Caddy starts."""
    with contextlib.suppress(ssl.SSLError):
        return site.get(CORE_NAME, "/oauth/validate").startswith(b"HTTP/1.1 401 ")
    return False


def metric(machine, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{machine.install.internal_port}/metrics") as answer:
        text = answer.read().decode()
    return float(re.search(rf"^{name} (.*)$", text, re.MULTILINE)[1])
