"""`waypost spool` beside real workers and a real core: clicks are accounted for, and brought back after a loss."""

import json
import os
import pty
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import closing

import pytest
from tests.acceptance.operator import eventually
from tests.unit.pipeline.segments import seal
from tests.unit.store.rows import hit, send_id
from torture.load import Connection, redirects, request, sealer
from torture.oracle import stored
from torture.processes import Install

from waypost.spool import replayed_segments, sealed_segments
from waypost.spool.conservation import account
from waypost.spool.counters import Count, read_counters


@pytest.fixture
def install(tmp_path):
    with Install(tmp_path / "install") as made:
        yield made


def click(install, numbers):
    seal_click = sealer(install.keyring)
    with closing(Connection(install.edge_port)) as reader:
        for number in numbers:
            (answer,) = reader.ask([request(seal_click, number)])
            assert redirects(answer, number)


def status(install):
    """Of the one worker; fails when it does not add up."""
    (worker,) = json.loads(install.run("spool", "status", "--json"))["workers"]
    return worker


def nothing_waits(install):
    return not sealed_segments(install.spool) and not replayed_segments(install.spool)


def test_after_a_loss_of_the_event_store_every_click_is_stored_again_and_none_twice(install):
    edge, core = install.edge(), install.core()
    edge.wait_ready()
    click(install, range(60))
    eventually(lambda: account(install.worker_spool()).stored == 60, seconds=90)
    core.stop()
    shutil.rmtree(install.data / "store")
    click(install, range(60, 80))

    assert "60 records, handed back" in install.run("spool", "replay", "--stored")
    worker = status(install)
    assert (worker["runs"], worker["answered"], worker["stored"], worker["difference"]) == (True, 80, 60, 0)
    assert worker["segments"]["replayed"] > 0

    core = install.core()
    eventually(lambda: account(install.worker_spool()).stored == 80 and nothing_waits(install), seconds=90)
    assert "80 records, handed back" in install.run("spool", "replay", "--stored")  # and now nothing is lost
    eventually(lambda: nothing_waits(install))
    edge.stop()
    core.stop()
    assert stored(install.data) == Counter(range(80))
    worker = status(install)
    assert (worker["stored"], worker["difference"]) == (80, 0)


def test_what_a_killed_worker_had_is_accounted_for_before_and_after_its_next_start(install):
    edge = install.edge()
    edge.wait_ready()
    click(install, range(10))
    # What is answered before it is written, for the writer got no processor in time, a kill would lose.
    eventually(lambda: read_counters(install.worker_spool())[Count.KEPT] == 10)
    edge.kill()
    assert status(install)["answered"] == 10
    assert "0 damaged" in install.run("spool", "verify")
    edge = install.edge()
    edge.wait_ready()
    assert status(install)["spooled"]["records"] == 10


def test_verify_shows_on_a_terminal_how_far_it_is(tmp_path):
    for _ in range(3):
        seal(tmp_path / "spool" / "edge-0", [hit(1, send_id())])
    program = """
from waypost.cli import spool_verify
from waypost.cli.main import main
spool_verify._PROGRESS_SECONDS = 0.0
main()
"""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", program, "spool", "verify", "--data", str(tmp_path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, text=True, check=True)
    os.close(theirs)
    shown = os.read(ours, 4096)
    os.close(ours)
    assert shown == b"".join(b"\r%d of 3 segments\r\x1b[K" % done for done in range(3))
    assert [line[-15:] for line in done.stdout.splitlines()] == ["whole: 1 record"] * 3 + ["r not readable here."[-15:]]
