"""A worker waits for others on busy cores, and for nobody where there is room."""

import os
import subprocess
import sys

import pytest

from waypost.edge.courtesy import Courtesy

SCRIPT = """
import os, sys, threading
from pathlib import Path
from waypost.edge.courtesy import Courtesy

core = min(os.sched_getaffinity(0))
os.sched_setaffinity(0, {core})
stat = Path(sys.argv[1])
courtesy = Courtesy(stat)
ended = threading.Event()
thread = threading.Thread(target=ended.wait)
thread.start()
work, idle = 0, 0
for second in sys.argv[2].split():
    busy = int(second)
    work, idle = work + busy, idle + 100 - busy
    lines = [
        "cpu  1 2 3 4 5 6 7 8 9 10",
        f"cpu{core} {work} 0 0 {idle // 2} {idle - idle // 2} 0 0 0 7 7",
        f"cpu{core + 1} 0 0 0 {1000 * (work + idle)} 0 0 0 0 0 0",
        "intr 1",
    ]
    stat.write_text("\\n".join(lines))
    courtesy.look()
    print(*(os.sched_getscheduler(each.native_id) for each in threading.enumerate()))
ended.set()
"""


def test_all_threads_wait_for_others_while_the_core_is_busy_and_no_longer(tmp_path):
    seconds = "99 99 30 59 61 100 0"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "stat", seconds], capture_output=True, text=True, check=True
    )
    policies = [set(line.split()) for line in done.stdout.splitlines()]
    normal, batch = {str(os.SCHED_OTHER)}, {str(os.SCHED_BATCH)}
    # The first look has none before it.
    assert policies == [normal, batch, normal, normal, batch, batch, normal]


def test_the_kernel_tells_how_busy_the_cores_are():
    idle, passed = Courtesy()._times()
    assert 0 < idle < passed


def test_where_it_cannot_be_told_nothing_changes_and_that_is_said_once(tmp_path, caplog):
    courtesy = Courtesy(tmp_path / "stat")
    for _ in range(3):
        courtesy.look()
    assert caplog.text.count("clicks may interrupt the TLS front") == 1


@pytest.mark.parametrize("error", [ProcessLookupError, PermissionError])
def test_a_thread_that_has_ended_is_no_reason_to_give_up(tmp_path, caplog, monkeypatch, error):
    def refuse(*_):
        raise error

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    courtesy = Courtesy(tmp_path / "stat")
    for work in (0, 100):
        (tmp_path / "stat").write_text("".join(f"cpu{core} {work} 0 0 0 0 0 0 0 0 0\n" for core in range(1024)))
        courtesy.look()
    assert bool(caplog.text) is (error is PermissionError)
