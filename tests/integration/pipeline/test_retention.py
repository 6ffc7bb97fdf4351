"""Runs retaining.py, whose event store is its own: mutations of one that other tests emptied may never end."""

import subprocess
import sys
from pathlib import Path

import pytest

# Half a minute of work, most of it waiting for syncs: ten times as long where others use the disk.
SECONDS = 900


@pytest.mark.timeout(SECONDS + 10)
def test_retention_in_a_process_of_its_own():
    tests = Path(__file__).with_name("retaining.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
