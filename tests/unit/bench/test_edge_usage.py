"""CPU time and written clicks, as bench/edge.py counts them."""

import os
import subprocess
import sys

import pytest
from bench import edge_servers
from bench.edge_servers import NotMeasuredError, Server
from bench.edge_usage import cpu_seconds, family, peak_resident_mb, proportional_mb

from waypost.spool.counters import Count, Counters
from waypost.spool.files import Files

BURN = """
import sys, time
while time.process_time() < 0.3: pass
print(time.process_time(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def burnt():
    """A shell whose child has burnt CPU time: its number, and how much that was."""
    command = [sys.executable, "-c", BURN]
    with subprocess.Popen(
        ["sh", "-c", '"$@"; exit', "sh", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as shell:
        yield shell.pid, float(shell.stdout.readline())
        shell.stdin.close()


def test_cpu_time_of_what_a_server_starts_is_its_own(burnt):
    pid, seconds = burnt
    assert len(list(family(pid))) == 2
    assert cpu_seconds(pid) == pytest.approx(seconds, abs=0.1)


def test_memory_of_what_a_server_starts_is_its_own(burnt):
    pid, _ = burnt
    assert 1 < proportional_mb(pid) < 100
    assert proportional_mb(pid) > proportional_mb(list(family(pid))[1])
    assert 0 < peak_resident_mb(pid) < peak_resident_mb(list(family(pid))[1])


@pytest.mark.parametrize(
    ("counts", "expected"),
    [({Count.KEPT: 9}, 10), ({Count.KEPT: 10, Count.LOST_IO_ERROR: 1}, 10)],
    ids=["missing", "lost"],
)
def test_clicks_that_were_not_written_are_noticed(counts, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(edge_servers, "SETTLE_SECONDS", 0)
    (tmp_path / "edge-0").mkdir()
    counters = Counters.open(tmp_path / "edge-0", Files())
    server = Server("an edge", "http://127.0.0.1:1", os.getpid(), spool=tmp_path)
    server.check_kept(0)
    for count, amount in counts.items():
        counters.add(count, amount)
    with pytest.raises(NotMeasuredError, match="an edge"):
        server.check_kept(expected)
