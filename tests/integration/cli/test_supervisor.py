"""The supervisor over real child processes: small Python programs that speak sd_notify(3)."""

import asyncio
import dataclasses
import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from waypost.cli import supervisor
from waypost.cli.supervisor import Service, StartFailedError, supervise

SERVE = "from waypost.telemetry.readiness import announce_ready; import os, time; announce_ready(os.environ)\n"


@pytest.fixture(autouse=True)
def _no_child_is_left_behind():
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    before = children.read_text()
    yield
    gc.collect()  # a transport of a child that was forgotten says so here, not in another test
    assert children.read_text() == before


class Told:
    """What the supervisor reported, and a way to wait for it."""

    def __init__(self):
        self.lines = []
        self.news = asyncio.Event()

    def __call__(self, name, line):
        self.lines.append((name, line))
        self.news.set()

    async def until(self, name, text, times=1):
        async with asyncio.timeout(60):
            while sum(text in line for service, line in self.lines if service == name) < times:
                self.news.clear()
                await self.news.wait()


def service(name, program):
    return Service(name, [sys.executable, "-c", program], f"http://{name}")


def writing_its_pid(path):
    return f"import os, pathlib; pathlib.Path({str(path)!r}).write_text(str(os.getpid()))\n{SERVE}time.sleep(60)"


def test_a_killed_child_comes_back_and_the_other_is_left_alone(tmp_path):
    async def scenario():
        told, stop = Told(), asyncio.Event()
        services = [service(name, writing_its_pid(tmp_path / name)) for name in ("core", "edge-0")]
        task = asyncio.create_task(supervise(services, stop, told, on_ready=lambda: told("all", "ready")))
        await told.until("all", "ready")
        assert {("core", "ready: http://core"), ("edge-0", "ready: http://edge-0")} < set(told.lines)
        first, other = ((tmp_path / name).read_text() for name in ("core", "edge-0"))
        os.kill(int(first), signal.SIGKILL)
        await told.until("core", "ready", times=2)
        assert ("core", "ended with status -9; starts again in 0.1 s") in told.lines
        assert (tmp_path / "core").read_text() != first
        assert (tmp_path / "edge-0").read_text() == other
        stop.set()
        await task
        for name in ("core", "edge-0"):
            with pytest.raises(ProcessLookupError):
                os.kill(int((tmp_path / name).read_text()), 0)

    asyncio.run(scenario())


def test_a_child_that_ends_before_it_is_ready_ends_everything(tmp_path):
    async def scenario():
        services = [service("edge-0", writing_its_pid(tmp_path / "edge-0")), service("core", "raise SystemExit(3)")]
        with pytest.raises(StartFailedError, match="core ended with status 3 before it was ready"):
            await supervise(services, asyncio.Event(), Told())

    asyncio.run(scenario())


def test_a_child_that_is_not_vital_is_started_until_it_is_ready_and_costs_no_other(tmp_path):
    lives = tmp_path / "lives"
    fails_twice = (
        f"import pathlib; lives = pathlib.Path({str(lives)!r}); lives.open('a').write('x')\n"
        f"if lives.stat().st_size < 3: raise SystemExit(1)\n{SERVE}time.sleep(60)"
    )

    async def scenario():
        told, stop = Told(), asyncio.Event()
        core = dataclasses.replace(service("core", fails_twice), vital=False)
        edge = service("edge-0", SERVE + "time.sleep(60)")
        task = asyncio.create_task(supervise([core, edge], stop, told, on_ready=lambda: told("all", "ready")))
        await told.until("all", "ready")
        assert [line for name, line in told.lines if name == "core"] == [
            "starting",
            "ended with status 1; starts again in 0.1 s",
            "starting",
            "ended with status 1; starts again in 0.2 s",
            "starting",
            "ready: http://core",
        ]
        assert [line for name, line in told.lines if name == "edge-0"] == ["starting", "ready: http://edge-0"]
        stop.set()
        await task

    asyncio.run(scenario())


def test_a_program_that_is_not_there_ends_everything():
    async def scenario():
        with pytest.raises(StartFailedError, match="core could not be started \\(No such file or directory\\)"):
            await supervise([Service("core", ["/nonexistent/waypost"], "")], asyncio.Event(), Told())

    asyncio.run(scenario())


def test_a_child_that_ignores_sigterm_is_killed_within_the_bound(monkeypatch):
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.3)

    async def scenario():
        told, stop = Told(), asyncio.Event()
        deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVE + "time.sleep(60)"
        task = asyncio.create_task(supervise([service("core", deaf)], stop, told))
        await told.until("core", "ready")
        started = time.monotonic()
        stop.set()
        await task
        assert 0.3 <= time.monotonic() - started < 30

    asyncio.run(scenario())


def test_a_child_does_not_outlive_a_killed_parent():
    child = (
        "import sys, time; from waypost.telemetry.parent import end_with_parent\n"
        "end_with_parent(int(sys.argv[1])); print('bound', flush=True); time.sleep(60)"
    )
    parent = (
        "import os, signal, subprocess, sys\n"
        "inner = [sys.executable, '-c', sys.argv[1], str(os.getpid())]\n"
        "child = subprocess.Popen(inner, stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    # The child holds standard error open: run() returns once both have ended.
    result = subprocess.run([sys.executable, "-c", parent, child], stderr=subprocess.PIPE, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (-signal.SIGKILL, b"")


def test_rolling_services_are_started_again_one_after_the_other_and_the_rest_is_left_alone(tmp_path):
    async def scenario():
        told, stop, renew = Told(), asyncio.Event(), asyncio.Event()
        names = ("core", "edge-0", "edge-1")
        services = [
            dataclasses.replace(service(name, writing_its_pid(tmp_path / name)), rolling=name != "core")
            for name in names
        ]
        task = asyncio.create_task(supervise(services, stop, told, lambda: told("all", "ready"), renew))
        await told.until("all", "ready")
        before = {name: (tmp_path / name).read_text() for name in names}
        del told.lines[:]
        renew.set()
        await told.until("edge-1", "ready")
        assert told.lines == [
            ("edge-0", "starting"),
            ("edge-0", "ready: http://edge-0"),
            ("edge-1", "starting"),
            ("edge-1", "ready: http://edge-1"),
        ]
        after = {name: (tmp_path / name).read_text() for name in names}
        assert [name for name in names if after[name] == before[name]] == ["core"]
        stop.set()
        await task

    asyncio.run(scenario())


def test_when_one_does_not_come_back_the_others_are_left_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "RENEW_SECONDS", 0.5)
    once = f"import pathlib; path = pathlib.Path({str(tmp_path / 'lived')!r})\nif path.exists(): raise SystemExit(1)\n"

    async def scenario():
        told, stop, renew = Told(), asyncio.Event(), asyncio.Event()
        services = [
            dataclasses.replace(service("edge-0", f"{once}path.touch()\n{SERVE}time.sleep(60)"), rolling=True),
            dataclasses.replace(service("edge-1", writing_its_pid(tmp_path / "edge-1")), rolling=True),
        ]
        task = asyncio.create_task(supervise(services, stop, told, lambda: told("all", "ready"), renew))
        await told.until("all", "ready")
        before = (tmp_path / "edge-1").read_text()
        renew.set()
        await told.until("edge-0", "was not ready")
        await asyncio.sleep(0)
        assert (tmp_path / "edge-1").read_text() == before
        stop.set()
        await task

    asyncio.run(scenario())


def test_one_that_waits_to_be_started_again_is_not_taken_for_one_that_serves(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "restart_delay", lambda _: 3600)
    monkeypatch.setattr(supervisor, "RENEW_SECONDS", 0.5)

    async def scenario():
        told, stop, renew = Told(), asyncio.Event(), asyncio.Event()
        services = [
            dataclasses.replace(service(name, writing_its_pid(tmp_path / name)), rolling=True)
            for name in ("edge-0", "edge-1")
        ]
        task = asyncio.create_task(supervise(services, stop, told, lambda: told("all", "ready"), renew))
        await told.until("all", "ready")
        os.kill(int((tmp_path / "edge-0").read_text()), signal.SIGKILL)
        await told.until("edge-0", "starts again")
        renew.set()
        await told.until("edge-0", "was not ready")
        assert [line for name, line in told.lines if name == "edge-1"] == ["starting", "ready: http://edge-1"]
        stop.set()
        await task

    asyncio.run(scenario())
