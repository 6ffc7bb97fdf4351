"""Runs erasing.py, whose event stores are its own: chDB has one at a time in a process, and here that is `store`."""

import subprocess
import sys
from pathlib import Path


def test_erasures_in_a_process_of_their_own():
    tests = Path(__file__).with_name("erasing.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
