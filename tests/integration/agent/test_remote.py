"""An edge machine and a core with nothing in common but HTTP, as processes."""

import http.client
import itertools
import re
import signal
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from tests.acceptance.operator import eventually
from torture.processes import WAYPOST, Install

from waypost.keyfile import keyring_path, load_keyring
from waypost.links.token import Sealer
from waypost.spool import sealed_segments
from waypost.spool.conservation import account

SEND = UUID("019cb7d4-0d59-7000-8000-000000000001")


class Far(Install):
    """The edge machine."""

    def click(self, token):
        with closing(http.client.HTTPConnection("127.0.0.1", self.edge_port, timeout=10)) as connection:
            connection.request("GET", f"/c/{token}", headers={"Host": "localhost"})
            return connection.getresponse().status

    def told(self, path):
        """Status and body of the internal listener."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.internal_port}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def is_green(self):
        return self.told("/readyz")[0] == 200

    @property
    def worker(self):
        return self.spool / "far-0"


@pytest.fixture
def core(tmp_path):
    with Install(tmp_path / "core", listeners=False) as install:
        yield install


@pytest.fixture
def far(tmp_path, core):
    running = core.core()
    running.wait_ready()
    credential = re.search(r"wpe_[A-Za-z0-9_-]{43}", core.run("edges", "add", "far"))[0]
    settings = {
        "WAYPOST_EDGE__NAME": "far",
        "WAYPOST_EDGE__CONTROL_URL": f"http://127.0.0.1:{core.control_port}",
        "WAYPOST_EDGE__CREDENTIAL": credential,
    }
    with Far(tmp_path / "far", settings, listeners=False) as install:
        keyring_path(install.data).unlink()  # a machine on which nothing was done yet
        install.data.rmdir()
        install.running_core = running
        yield install


def edge(far, *options):
    started = far.start("edge", [*WAYPOST, "edge", *options])
    started.wait_ready()
    return started


def test_it_fetches_its_keyring_redirects_and_hands_its_clicks_over_with_the_core_dying_meanwhile(core, far):
    edge(far)
    keyring = load_keyring(keyring_path(core.data))
    assert load_keyring(keyring_path(far.data)) == keyring
    eventually(far.is_green, seconds=10)
    sealer = Sealer(keyring, "localhost", account=7, profile=8)
    tokens = [sealer.click(SEND, number, f"https://shop.example/{number}") for number in range(60)]
    assert {far.click(token) for token in tokens[:20]} == {302}
    eventually(lambda: account(far.worker).stored == 20, seconds=20)

    far.running_core.kill()
    assert {far.click(token) for token in tokens[20:40]} == {302}
    eventually(lambda: len(sealed_segments(far.worker)) > 0, seconds=10)
    time.sleep(1)
    assert account(far.worker).stored == 20
    assert far.is_green()  # a core that is down takes no edge out of rotation

    core.core().wait_ready()
    assert {far.click(token) for token in tokens[40:]} == {302}
    eventually(lambda: account(far.worker).stored == 60, seconds=30)
    assert account(far.worker).difference == 0
    eventually(lambda: 'waypost_clicks_stored_total{worker="far-0"} 60.0' in far.told("/metrics")[1], seconds=5)


def test_a_block_is_obeyed_within_five_seconds_and_after_a_restart_without_the_core(core, far):
    started = edge(far)
    eventually(far.is_green, seconds=10)
    sealer = Sealer(load_keyring(keyring_path(core.data)), "localhost", account=7, profile=8)
    token = sealer.click(SEND, 0, "https://evil.example/")
    assert far.click(token) == 302
    core.run("block", "add", "host", "evil.example", "--reason", "phishing")
    eventually(lambda: far.click(token) == 410, seconds=5)
    far.running_core.kill()
    assert started.stop() == 0
    edge(far)
    assert far.click(token) == 410


def test_without_keyring_and_core_it_says_what_to_do(far):
    far.running_core.kill()
    started = far.start("edge", [*WAYPOST, "edge"])
    assert started.process.wait(20) == 1
    said = started.log.read_text()
    assert "waypost edges add" in said
    assert "waypost keys export" in said


def test_a_rolling_restart_under_load_fails_no_reader_and_loses_no_click(core, far):
    started = edge(far, "--workers", "2")
    eventually(far.is_green, seconds=10)
    sealer = Sealer(load_keyring(keyring_path(core.data)), "localhost", account=7, profile=8)
    before = pids(far)
    started.process.send_signal(signal.SIGUSR1)
    answers = []
    end = time.monotonic() + 30
    for number in itertools.count():
        answers.append(far.click(sealer.click(SEND, number, f"https://shop.example/{number}")))
        if number % 10 == 0 and len(pids(far) - before) == 3 and len(pids(far)) == 3:
            break
        assert time.monotonic() < end
    assert set(answers) == {302}
    workers = [far.spool / f"far-{number}" for number in range(2)]
    eventually(lambda: sum(account(each).stored for each in workers) == len(answers), seconds=20)
    assert [account(each).difference for each in workers] == [0, 0]
    eventually(far.is_green, seconds=10)


def pids(far):
    """Of the agent and the workers."""
    [supervisor] = [each.process.pid for each in far._started if each.name == "edge" and each.process.poll() is None]
    return set(Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split())
