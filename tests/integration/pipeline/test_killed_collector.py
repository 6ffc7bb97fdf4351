"""E3, answered means stored exactly once: the collector is killed with SIGKILL, and started again."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.unit.pipeline.segments import seal
from tests.unit.store.rows import hit, send_id

from waypost.spool import replayed_segments
from waypost.spool.ledger import read_ledger
from waypost.spool.replay import Settled, hand_back, settled_segments

HERE = Path(__file__).parent


def start(data, *arguments):
    command = [sys.executable, HERE / "collect.py", data, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill_status(process):
    with process:
        process.communicate(timeout=240)
    return process.returncode


def stored(process):
    """What the store held when the collector was done: how often each (segment, record)."""
    with process:
        printed, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    return {(segment, record): times for segment, record, times in json.loads(printed.splitlines()[-1])}


def fill(data, segments, records):
    """Seal that many segments in two edges' spools; returns the keys of all their records."""
    paths = [
        seal(data / "spool" / f"edge-{number % 2}", [hit(1 + n % 3, send_id()) for n in range(records)])
        for number in range(segments)
    ]
    return {(path.stem, number) for path in paths for number in range(records)}


def left(data):
    return list((data / "spool").rglob("*.seg"))


def test_killed_around_its_insert_a_collector_stores_every_record_exactly_once(tmp_path):
    expected = fill(tmp_path, segments=4, records=25)
    for instant, segments_left in [("before-insert", 4), ("after-insert", 4), ("between-deletes", 3)]:
        assert kill_status(start(tmp_path, "--die", instant)) == -signal.SIGKILL
        assert len(left(tmp_path)) == segments_left
    assert stored(start(tmp_path)) == dict.fromkeys(expected, 1)
    assert left(tmp_path) == []


def test_killed_at_random_instants_a_collector_stores_every_record_exactly_once(tmp_path):
    seed = random.randrange(2**32)
    print("seed", seed)
    instants = random.Random(seed)
    expected = fill(tmp_path, segments=60, records=20)
    killed_at_work = 0
    for _ in range(4):
        if not left(tmp_path):  # it was through with them before it could be killed
            expected |= fill(tmp_path, segments=60, records=20)
        process = start(tmp_path, "40")
        assert process.stdout.readline() == "collecting\n"
        enough = len(left(tmp_path)) - instants.randint(0, 6)
        while len(left(tmp_path)) > enough and process.poll() is None:
            time.sleep(0.001)
        time.sleep(instants.uniform(0, 0.05))
        process.kill()
        kill_status(process)
        killed_at_work += 0 < len(left(tmp_path)) < 60
    assert stored(start(tmp_path, "40")) == dict.fromkeys(expected, 1)
    assert left(tmp_path) == []
    assert killed_at_work, "no kill hit the collector at work: make the spool larger"


def hand_back_all(data):
    return [hand_back(path) for path in settled_segments(data / "spool", Settled.STORED)]


def counted(data):
    return sum(read_ledger(directory).stored for directory in (data / "spool").glob("edge-*"))


def test_killed_while_it_reads_what_was_handed_back_a_collector_stores_and_counts_every_record_once(tmp_path):
    expected = fill(tmp_path, segments=4, records=25)
    assert stored(start(tmp_path, "--keep")) == dict.fromkeys(expected, 1)
    shutil.rmtree(tmp_path / "store")
    assert (len(hand_back_all(tmp_path)), counted(tmp_path)) == (4, 100)
    for instant, segments_left in [("after-insert", 4), ("before-count", 3)]:
        assert kill_status(start(tmp_path, "--keep", "--die", instant)) == -signal.SIGKILL
        assert len(replayed_segments(tmp_path / "spool")) == segments_left
        assert counted(tmp_path) == 100
    # The one that was read is handed back once more: now nothing of it is lost.
    assert len(hand_back_all(tmp_path)) == 1
    assert stored(start(tmp_path, "--keep")) == dict.fromkeys(expected, 1)
    assert (replayed_segments(tmp_path / "spool"), counted(tmp_path)) == ([], 100)
