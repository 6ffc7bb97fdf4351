"""`make demo` beside itself, and how it ends. What it shows is checked by the demo."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from demo import folder

from waypost.cli.machine import LOCK_FILE

ROOT = Path(__file__).parents[2]


def demo(directory):
    """`make demo`, with its data below `directory`."""
    return subprocess.Popen(
        [sys.executable, "-m", "demo"],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_second_demo_leaves_the_data_of_the_first_alone(tmp_path):
    data = tmp_path / "demo-data"
    with folder.fresh(data):
        (data / "kept").touch()
        with demo(tmp_path) as second:
            said, _ = second.communicate(timeout=120)
        assert f"A demo already runs here (process {os.getpid()}): stop it first." in said
        assert second.returncode == 1
        assert (data / "kept").exists()


def test_a_demo_that_was_killed_keeps_its_data_while_its_waypost_up_runs(tmp_path):
    data = tmp_path / "demo-data"
    (data / "data").mkdir(parents=True)
    with (data / "data" / LOCK_FILE).open("w+") as up:
        up.write("4711")
        up.flush()
        fcntl.flock(up, fcntl.LOCK_EX)
        with pytest.raises(folder.BusyError, match=r"process 4711"), folder.fresh(data):
            pass
    assert (data / "data" / LOCK_FILE).exists()


def test_each_demo_starts_with_an_empty_folder(tmp_path):
    for _ in range(2):
        with folder.fresh(tmp_path / "demo-data"):
            assert list((tmp_path / "demo-data").iterdir()) == []
            (tmp_path / "demo-data" / "left").touch()


def test_sigterm_ends_the_demo_and_its_waypost_up(tmp_path):
    with demo(tmp_path) as running:
        assert any("Ready" in line for line in running.stdout)
        up = int((tmp_path / "demo-data" / "data" / LOCK_FILE).read_text())
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=120)
    assert running.returncode == 130
    assert not Path(f"/proc/{up}").exists()
