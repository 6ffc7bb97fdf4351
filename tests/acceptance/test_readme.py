"""Everything the README tells a newcomer to type does what it says."""

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from demo.product import Product
from tests.acceptance.guide import blocks, shell
from tests.debian import require
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


@pytest.fixture
def folder(tmp_path):
    """Where a newcomer stands: beside the examples."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def test_the_python_example_prints_what_its_comments_say():
    (script,) = blocks(README, "python")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(script, "README.md", "exec"), {})
    said = [line.removeprefix("# ") for line in script.splitlines() if line.startswith("# ")]
    assert printed.getvalue().splitlines() == said


def test_the_commands_around_links_work_without_a_server(folder):
    done = shell(blocks(README, "sh")[0].replace("/tmp", str(folder)), folder)
    assert done.returncode == 0, done.stderr
    assert "skipped: placeholder" in done.stdout
    assert re.search(r"^opens +yes$", done.stdout, re.MULTILINE)


def test_trying_webhooks_keeps_the_settings_and_the_account_of_the_tour():
    webhooks = (ROOT / "docs" / "webhooks.md").read_text()
    for said in (r"^    (WAYPOST_.* )waypost up$", r"waypost api-keys create (\S+) --name (?:tour|hooks)"):
        (tour,) = re.findall(said, README, re.MULTILINE)
        (tried,) = re.findall(said, webhooks, re.MULTILINE)
        assert tried.startswith(tour)


@pytest.fixture
def mail_folder(tmp_path):
    return tmp_path / "mail"


@pytest.fixture
def relay_port(mail_folder):
    """The relay of the tour, started as the tour starts it."""
    (line,) = re.findall(r"^    (aiosmtpd .*) &$", README, re.MULTILINE)
    (port,) = free_ports(1)
    command = line.replace("2525", str(port)).replace("/tmp/waypost-mail", str(mail_folder)).split()
    relay = subprocess.Popen([Path(sys.executable).parent / command[0], *command[1:]])
    yield port
    relay.terminate()
    relay.wait()


DELIVERED = "until ls /tmp/waypost-mail/new/* >/dev/null 2>&1; do sleep 0.1; done\n"
TOLD = """\
until curl -s "$api/api/v1/email/send/$(jq -r .send_id sent.json)/events" -H "Authorization: Bearer $token" |
  grep -q '"click"'; do sleep 0.1; done
"""


def test_the_tour_of_the_whole_product_ends_with_a_click_that_the_api_tells_of(folder, mail_folder, relay_port):
    for program in ("curl", "jq"):
        require(program, binary=program)
    tour = DELIVERED.join(blocks(README, "sh")[1:])
    product = Product(folder, relay_port, ports=free_ports(3))
    # The newcomer's ports and files may be taken on this machine, so the installation has others.
    # A newcomer reads in between, and this machine may be busy.
    replaced = {"http://127.0.0.1:8025": product.origin, "sleep 3\n": TOLD, "/tmp/waypost-mail": str(mail_folder)}
    for theirs, ours in replaced.items():
        assert theirs in tour
        tour = tour.replace(theirs, ours)
    try:
        product.start()
        installation = {"WAYPOST_DATA": str(product.data), "WAYPOST_CONFIG": str(product.config)}
        done = shell(tour, folder, **installation, WALK_API=product.origin)
        assert done.returncode == 0, done.stderr
        assert '"tracked": 1,' in done.stdout
        assert "302 to https://shop.example/\n" in done.stdout
        assert done.stdout.count('"event": "click"') == 1
        assert "owner@walk.example is approved\n" in done.stdout
        assert "  delivered\n" in done.stdout
    finally:
        product.stop()
