"""An edge machine and a core with nothing in common but HTTP, as processes."""

import http.client
import itertools
import signal
import socket
import time
import urllib.request
from contextlib import ExitStack, closing, suppress
from uuid import UUID

import pytest
from tests.acceptance.operator import eventually
from torture.machines import EdgeMachine, operate
from torture.processes import Install

from waypost.keyfile import keyring_path, load_keyring
from waypost.keyfile.snapshot import snapshot_path
from waypost.links.token import Sealer
from waypost.spool import sealed_segments
from waypost.spool.conservation import account

SEND = UUID("019cb7d4-0d59-7000-8000-000000000001")


class Core(Install):
    """A core that ends now and then."""

    running = None

    def begin(self):
        self.running = self.core()
        self.running.wait_ready()


class Far(EdgeMachine):
    """An edge machine, and its readers."""

    def click(self, token):
        with closing(http.client.HTTPConnection("127.0.0.1", self.edge_port, timeout=60)) as connection:
            connection.request("GET", f"/c/{token}", headers={"Host": "localhost"})
            return connection.getresponse().status

    def first_answer(self, token):
        """Status of the first answer that a machine which is being started gives."""
        while True:
            with suppress(ConnectionRefusedError):
                return self.click(token)

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.internal_port}/metrics", timeout=60) as response:
            return response.read().decode()

    def is_green(self):
        return self.readiness().get("ready", False)

    @property
    def worker(self):
        return self.spool / f"{self.name}-0"


@pytest.fixture(scope="module")
def install(tmp_path_factory):
    """A core takes seconds to start: who kills it leaves that to the next test."""
    with Core(tmp_path_factory.mktemp("core"), listeners=False) as install:
        yield install


@pytest.fixture
def core(install):
    if install.running is None or install.running.process.poll() is not None:
        install.begin()
    return install


@pytest.fixture
def machine(tmp_path, core):
    """Makes a machine on which nothing was done yet, given its name."""
    with ExitStack() as held:

        def make(name):
            made = held.enter_context(Far(tmp_path / name, core, name, f"http://127.0.0.1:{core.control_port}"))
            held.callback(operate, core, "edges", "remove", name)
            return made

        yield make


@pytest.fixture
def far(machine):
    return machine("far")


def edge(far, *options):
    started = far.begin(*options)
    started.wait_ready()
    return started


def sealer_of(core):
    return Sealer(load_keyring(keyring_path(core.data)), "localhost", account=7, profile=8)


def test_it_fetches_its_keyring_redirects_and_hands_its_clicks_over_with_the_core_dying_meanwhile(core, far):
    edge(far)
    keyring = load_keyring(keyring_path(core.data))
    assert load_keyring(keyring_path(far.data)) == keyring
    eventually(far.is_green)
    sealer = sealer_of(core)
    tokens = [sealer.click(SEND, number, f"https://shop.example/{number}") for number in range(60)]
    assert {far.click(token) for token in tokens[:20]} == {302}
    eventually(lambda: account(far.worker).stored == 20)

    core.running.kill()
    assert {far.click(token) for token in tokens[20:40]} == {302}
    eventually(lambda: len(sealed_segments(far.worker)) > 0)
    time.sleep(1)
    assert account(far.worker).stored == 20
    assert far.is_green()  # a core that is down takes no edge out of rotation

    core.begin()
    assert {far.click(token) for token in tokens[40:]} == {302}
    eventually(lambda: account(far.worker).stored == 60)
    assert account(far.worker).difference == 0
    eventually(lambda: 'waypost_clicks_stored_total{worker="far-0"} 60.0' in far.metrics())


def test_every_edge_obeys_a_block_within_five_seconds_and_after_a_restart_without_the_core(core, machine):
    """S3, the kill switch."""
    machines = [machine(name) for name in ("paris", "rome", "oslo")]
    for each in machines:
        each.begin()
    for each in machines:
        each.running.wait_ready()
        eventually(each.is_green)

    def obeyed_after_seconds(host):
        token = sealer_of(core).click(SEND, 0, f"https://{host}/")
        assert {each.click(token) for each in machines} == {302}
        operate(core, "block", "add", "host", host, "--reason", "phishing")
        began = time.monotonic()
        eventually(lambda: {each.click(token) for each in machines} == {410})
        return time.monotonic() - began

    # One of three blocks: on a busy machine any process may wait for a processor meanwhile.
    assert any(obeyed_after_seconds(host) < 5 for host in ("evil.example", "evil.test", "evil.invalid"))
    token = sealer_of(core).click(SEND, 0, "https://evil.example/")
    core.running.kill()
    for each in machines:
        each.kill()
        each.begin()
    assert [each.first_answer(token) for each in machines] == [410] * 3


def test_an_edge_restored_from_a_backup_opens_new_links_and_obeys_new_blocks_from_its_first_answer_on(core, far):
    started = edge(far)
    eventually(far.is_green)
    files = (keyring_path(far.data), snapshot_path(far.data))
    backup = [path.read_bytes() for path in files]
    operate(core, "keys", "add")
    eventually(lambda: operate(core, "keys", "promote", "2").exit_code == 0)
    operate(core, "block", "add", "host", "evil.org", "--reason", "phishing")
    # The core has taken it up, too.
    eventually(lambda: far.click(sealer_of(core).click(SEND, 0, "https://evil.org/")) == 410)
    started.stop()
    for path, old in zip(files, backup, strict=True):
        path.write_bytes(old)
    far.begin()
    assert far.first_answer(sealer_of(core).click(SEND, 0, "https://shop.example/")) == 302
    assert far.click(sealer_of(core).click(SEND, 0, "https://evil.org/")) == 410


def test_with_a_keyring_alone_and_a_core_that_says_nothing_it_soon_redirects_and_readyz_is_red(core, far):
    edge(far).stop()
    snapshot_path(far.data).unlink(missing_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        far.settings["WAYPOST_EDGE__CONTROL_URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = edge(far)
        assert far.click(sealer_of(core).click(SEND, 0, "https://shop.example/")) == 302
        assert "gives no news: no answer in 3 s" in started.log.read_text()
        red = "there is no snapshot yet: what is blocked is unknown here"
        eventually(lambda: red in far.readiness().get("problems", ()))


def test_without_keyring_and_core_it_says_what_to_do(core, far):
    core.running.kill()
    started = far.begin()
    assert started.process.wait(60) == 1
    said = started.log.read_text()
    assert "waypost edges add" in said
    assert "waypost keys export" in said


def test_a_rolling_restart_under_load_fails_no_reader_and_loses_no_click(core, far):
    started = edge(far, "--workers", "2")
    eventually(far.is_green)
    sealer = sealer_of(core)
    before = pids(far)
    started.process.send_signal(signal.SIGUSR1)
    answers = []
    end = time.monotonic() + 120
    for number in itertools.count():
        answers.append(far.click(sealer.click(SEND, number, f"https://shop.example/{number}")))
        if number % 10 == 0 and len(pids(far) - before) == 3 and len(pids(far)) == 3:
            break
        assert time.monotonic() < end
    assert set(answers) == {302}
    workers = [far.spool / f"far-{number}" for number in range(2)]
    eventually(lambda: sum(account(each).stored for each in workers) == len(answers))
    assert [account(each).difference for each in workers] == [0, 0]
    eventually(far.is_green)


def pids(far):
    """Of the agent and the workers."""
    return set(far.processes()[1:])
