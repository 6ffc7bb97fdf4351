"""The units in deploy/systemd, as far as they go where systemd does not run: checked by its tools, run as they say."""

import re
import shlex
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest
from tests.debian import require
from torture.front import wait_for
from torture.load import Readers, click_once
from torture.processes import WORKER_COMMAND, Install

UNITS = Path(__file__).parents[3] / "deploy" / "systemd"
SERVICES = ("waypost.service", "waypost-edge.service")
EXPOSURE_MAX = 20
"""2.0 of 10, in the words of systemd-analyze: services that reach the network have little less."""
AS_SYSTEMD = """
import fcntl, os, sys
count = int(sys.argv[1])
away = [fcntl.fcntl(int(passed), fcntl.F_DUPFD, 100) for passed in sys.argv[2 : 2 + count]]
for number, descriptor in enumerate(away):
    os.dup2(descriptor, 3 + number)
command = sys.argv[2 + count :]
os.execvpe(command[0], command, os.environ | {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(count)})
"""


class Unit:
    """A unit file: each setting with all of its values, in order."""

    def __init__(self, name: str) -> None:
        self.values: dict[str, list[str]] = {}
        for line in (UNITS / name).read_text().splitlines():
            if line and line[0] not in "#[":
                key, _, value = line.partition("=")
                self.values.setdefault(key, []).append(value)

    def __getitem__(self, key: str) -> str:
        (value,) = self.values[key]
        return value


@pytest.fixture
def installed(tmp_path):
    """The units, with the command of this test run in place of the one that they name."""
    command = tmp_path / "opt" / "bin" / "waypost"
    command.parent.mkdir(parents=True)
    command.symlink_to(Path(sys.executable).with_name("waypost"))
    folder = tmp_path / "units"
    shutil.copytree(UNITS, folder, ignore=shutil.ignore_patterns("*.md"))
    for unit in folder.iterdir():
        unit.write_text(unit.read_text().replace("/opt/waypost/", f"{tmp_path}/opt/"))
    return folder


def test_systemd_finds_nothing_to_say_of_them(installed):
    units = [str(unit) for unit in installed.iterdir()]
    analyze = require("systemd", "systemd-analyze")
    done = subprocess.run([analyze, "verify", "--man=no", *units], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_they_leave_little_that_a_broken_in_process_could_reach(installed, service):
    analyze = [require("systemd", "systemd-analyze"), "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}"]
    done = subprocess.run([*analyze, installed / service], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def permitted(filters):
    """System calls that a list of SystemCallFilter= values lets through."""
    calls = set()
    for value in filters:
        names = {call for name in value.removeprefix("~").split() for call in calls_of(name)}
        calls = calls - names if value.startswith("~") else calls | names
    return calls


def calls_of(name):
    if not name.startswith("@"):
        return {name}
    analyze = [require("systemd", "systemd-analyze"), "syscall-filter", name]
    listed = subprocess.run(analyze, check=True, capture_output=True, text=True).stdout.splitlines()[1:]
    entries = [line.strip() for line in listed if line.strip() and not line.strip().startswith("#")]
    return {call for entry in entries for call in calls_of(entry)}


@pytest.mark.parametrize("service", SERVICES)
def test_what_they_say_starts_it_makes_it_ready_and_loads_it_again(tmp_path, service):
    """And no process of it needs a system call that they forbid."""
    unit, trace = Unit(service), tmp_path / "calls"
    strace = [str(require("strace", "strace")), "-D", "-f", "-qq", "--seccomp-bpf", "-o", str(trace)]
    with Service(tmp_path, service) as running:
        started = running.start(under=strace)
        before = started.children(WORKER_COMMAND)
        assert len(before) == 1
        assert click_once(running.install.edge_port, running.install.keyring, 1)
        reload = unit["ExecReload"].replace("$MAINPID", str(started.process.pid))
        subprocess.run(shlex.split(reload), check=True)
        wait_for(lambda: (now := started.children(WORKER_COMMAND)) and not now & before, "another worker")
        assert started.stop() == 0
    calls = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.MULTILINE))
    assert {"accept4", "fdatasync"} <= calls
    assert calls - permitted(unit.values["SystemCallFilter"]) == set()


def test_started_again_as_a_whole_it_refuses_no_reader_while_systemd_holds_its_sockets(tmp_path):
    with Service(tmp_path, "waypost-edge.service", workers=2, sockets=2) as running:
        started = running.start()
        with Readers(
            running.install.edge_port,
            running.install.keyring,
            readers=8,
            pipelined=1,
            per_second=200,
            fresh=True,
            rng=Random(1),
        ) as readers:
            readers.pause(0.3)
            assert started.stop() == 0
            answered = readers.count
            running.start()
            wait_for(lambda: readers.count > answered + 8, "answers")
        assert (readers.cut_off, readers.wrong) == (0, [])


@pytest.mark.parametrize(
    ("workers", "sockets", "port", "said"),
    [
        (1, 2, None, "systemd listens on 2 sockets, and edge.workers is 1"),
        (1, 1, 1, "and edge.listen is 127.0.0.1:1: make it and ListenStream= the same"),
    ],
)
def test_a_socket_unit_that_the_settings_do_not_agree_with_is_refused(tmp_path, workers, sockets, port, said):
    with Service(tmp_path, "waypost-edge.service", workers=workers, sockets=sockets) as running:
        if port:
            running.install.settings["WAYPOST_EDGE__LISTEN"] = f"127.0.0.1:{port}"
        started = running.launch()
        assert started.process.wait(30) == 1
        assert said in started.log.read_text()


class Service:
    """A service as systemd would run it: its command, its environment, its sockets, and its word that it is ready."""

    def __init__(self, folder: Path, service: str, *, workers: int = 1, sockets: int = 1) -> None:
        self._service = Unit(service)
        self._socket = Unit(service.replace(".service", ".socket"))
        self._held = ExitStack()
        self._sockets = sockets
        self.install = Install(folder, workers=workers, listeners=False)

    def __enter__(self):
        self._held.enter_context(self.install)
        # The unit names the default address; here it has the port of the test.
        assert self._socket["ListenStream"] == "127.0.0.1:8026"
        self._passed = [
            self._held.enter_context(listening(self.install.edge_port, self._sockets)) for _ in range(self._sockets)
        ]
        config = self.install.folder / "waypost.toml"
        config.write_text("")
        config_name, data_name = (each.partition("=")[0] for each in self._service["Environment"].split())
        assert self._service["Type"] == "notify"
        self._environment = {config_name: str(config), data_name: str(self.install.data)}
        return self

    def __exit__(self, *_):
        self._held.close()

    def launch(self, under=()):
        command = shlex.split(self._service["ExecStart"])
        assert command[0] == "/opt/waypost/bin/waypost"
        command[0] = str(Path(sys.executable).with_name("waypost"))
        passed = [each.fileno() for each in self._passed]
        return self.install.start(
            "service",
            [sys.executable, "-c", AS_SYSTEMD, str(len(passed)), *map(str, passed), *under, *command],
            self._environment,
            inherits=tuple(passed),
        )

    def start(self, under=()):
        started = self.launch(under)
        started.wait_ready()
        return started


def listening(port, count):
    """As systemd does it for ListenStream= and, where there are several of them, ReusePort=yes."""
    passed = socket.socket()
    passed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    passed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, count > 1)
    passed.bind(("127.0.0.1", port))
    passed.listen(4096)
    return passed
