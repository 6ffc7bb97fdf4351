"""Tests whose event stores are their own: chDB has one at a time in a process, and in a test run that is `store`."""

import subprocess
import sys
from pathlib import Path


def run_tests(name: str, seconds: float) -> None:
    """Run those of a file of this folder by a pytest of their own; they pass, within so many seconds."""
    tests = Path(__file__).with_name(name)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stdout + done.stderr
