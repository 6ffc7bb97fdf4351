"""Waypost as an operator has it: `waypost up` in a process of its own, and the command line beside it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

WAYPOST = [sys.executable, "-m", "waypost"]
STOP_SECONDS = 30


class NotReadyError(Exception):
    """`waypost up` ended before it was ready."""


class Product:
    """A running `waypost up`.

    Args:
        data: data directory.
        log: file for what the processes log.
        settings: overrides, as environment variables.
    """

    def __init__(self, data: Path, log: Path, settings: dict[str, str]) -> None:
        self.data = data
        self.log = log
        self._environ = os.environ | settings
        self._process: subprocess.Popen[str] | None = None

    def start(self, tell: Callable[[str], None]) -> None:
        """Return once everything serves; `tell` gets each line that it prints meanwhile.

        Raises:
            NotReadyError: it ended instead.
        """
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*WAYPOST, "up", "--data", str(self.data)],
                env=self._environ,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        for line in self._process.stdout:
            tell(line.rstrip())
            if line.startswith("Ready"):
                return
        raise NotReadyError(f"waypost up ended with status {self._process.wait()}; its log is {self.log}")

    def stop(self) -> None:
        """Stop it as Ctrl+C would, and wait."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=STOP_SECONDS)

    def command(self, *arguments: str) -> str:
        """Run another waypost command on the same data; what it printed."""
        result = subprocess.run(
            [*WAYPOST, *arguments, "--data", str(self.data)],
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise RuntimeError(f"waypost {' '.join(arguments)}: {result.stderr.strip()}")
        return result.stdout


def free_port(wanted: int = 0) -> int:
    """`wanted` if nobody has it, else any free port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
