"""Waypost as real processes on one data directory, on free ports: started, killed and started again by the gates."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.ports import free_ports

from waypost.config import HostPort
from waypost.edge.app import listening_socket
from waypost.keyfile import create_keyring, keyring_path, load_keyring
from waypost.links.keyring import Keyring

WAYPOST = (sys.executable, "-P", "-m", "waypost")
WORKER_COMMAND = "edge-worker"
_PARENT = ("--parent", str(os.getpid()))
"""They end with this program, however it ends."""
ENDS_WITH_THIS = ("setpriv", "--pdeathsig", "KILL")
"""Runs a program that has no such option, so that it does too."""
READY_SECONDS = 90.0
"""A core loads its store for seconds on a busy machine."""
STOP_SECONDS = 10.0
STOP_TIMES = 4
"""A failed write may have been the one that tells Python of the signal."""


class NotStartedError(Exception):
    """A process ended, or said nothing, before it was ready; the message is the end of its log."""


class NotStoppedError(Exception):
    """A process went on in spite of SIGTERM; the message is the end of its log."""


@dataclass
class Started:
    """A process of ours, in a group of its own: whatever it starts ends with `kill`."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    ready: socket.socket
    _reaped: bool = False
    """Its number may be another's by now."""

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Return once it serves.

        Raises:
            NotStartedError: it does not.
        """
        for _ in range(max(1, int(seconds * 10))):
            self.ready.settimeout(0.1)
            try:
                if b"READY=1" in self.ready.recv(4096).split(b"\n"):
                    return
            except TimeoutError:
                if self.process.poll() is not None:
                    break
        raise NotStartedError(f"{self.name}: {self.log.read_text(errors='replace')[-2000:]}")

    def is_ready(self) -> bool:
        """Whether it has said so by now."""
        with contextlib.suppress(BlockingIOError):
            self.ready.settimeout(0)
            return b"READY=1" in self.ready.recv(4096).split(b"\n")
        return False

    def children(self, command: str) -> set[int]:
        """Processes that it started and that run now, with that word on their command line."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {int(child) for child in children if command in _arguments(child)}

    def kill(self) -> None:
        """With SIGKILL, and everything it started."""
        if not self._reaped:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self._reaped = True
        self.ready.close()

    def stop(self) -> int:
        """As an operator does; its exit status."""
        try:
            for _ in range(STOP_TIMES):
                if self.process.poll() is None:
                    self.process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return self.process.wait(STOP_SECONDS)
            raise NotStoppedError(f"{self.name}: {self.log.read_text(errors='replace')[-2000:]}")
        finally:
            self.kill()


def _arguments(pid: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []  # it ended meanwhile


class Install:
    """A data directory with its ports.

    Args:
        folder: where `data` and the logs go; what is there already is used again.
        settings: by their environment names.
        workers: of the edge.
        listeners: hold the edge's sockets here, as `waypost up` does: who connects to a dead worker waits.
        keyring: make one where there is none.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        *,
        workers: int = 1,
        listeners: bool = True,
        keyring: bool = True,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data = folder / "data"
        if keyring and not keyring_path(self.data).exists():
            create_keyring(keyring_path(self.data))
        self.workers = workers
        # Together, so that no two are the same.
        self.edge_port, self.control_port, self.internal_port = free_ports(3)
        self.settings = {
            "WAYPOST_EDGE__LISTEN": f"127.0.0.1:{self.edge_port}",
            "WAYPOST_EDGE__INTERNAL_LISTEN": f"127.0.0.1:{self.internal_port}",
            "WAYPOST_EDGE__WORKERS": str(workers),
            "WAYPOST_CONTROL__LISTEN": f"127.0.0.1:{self.control_port}",
            "WAYPOST_SPOOL__SEGMENT_SECONDS": "0.2",
            **(settings or {}),
        }
        self._listeners = (
            [listening_socket(HostPort("127.0.0.1", self.edge_port), shared=True) for _ in range(workers)]
            if listeners
            else []
        )
        self._started: list[Started] = []
        self._notify = tempfile.TemporaryDirectory(prefix="wp-", dir="/tmp")  # a Unix socket's path is short
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for started in self._started:
            started.kill()
        for listener in self._listeners:
            listener.close()
        self._notify.cleanup()

    @property
    def keyring(self) -> Keyring:
        return load_keyring(keyring_path(self.data))

    @property
    def spool(self) -> Path:
        return self.data / "spool"

    def worker_spool(self, worker: int = 0) -> Path:
        return self.spool / f"edge-{worker}"

    def edge(self, worker: int = 0, *, under: Sequence[str] = (), settings: Mapping[str, str] | None = None) -> Started:
        """Start an edge worker; `under` is a command that runs it, as strace does."""
        listener = self._listeners[worker].fileno() if self._listeners else None
        command = [*under, *WAYPOST, WORKER_COMMAND, "--worker", str(worker), *_PARENT]
        if listener is not None:
            command.append(f"--listener={listener}")
        return self.start(f"edge-{worker}", command, settings, inherits=() if listener is None else (listener,))

    def core(self, *, under: Sequence[str] = (), settings: Mapping[str, str] | None = None) -> Started:
        """Start control, mail and pipeline; `under` as for `edge`."""
        return self.start("core", [*under, *WAYPOST, "core", *_PARENT], settings)

    def agent(self) -> Started:
        """Start what tells how the machine is."""
        return self.start("agent", [*WAYPOST, "agent", *_PARENT])

    def up(self, settings: Mapping[str, str] | None = None) -> Started:
        """Start everything as an operator does; needs an Install without `listeners`."""
        return self.start("up", [*WAYPOST, "up"], settings)

    def start(
        self,
        name: str,
        command: Sequence[str],
        settings: Mapping[str, str] | None = None,
        *,
        inherits: tuple[int, ...] = (),
    ) -> Started:
        """Start any waypost command on this data directory."""
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = str(Path(self._notify.name) / str(next(self._numbers)))
        ready.bind(address)
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*command, "--data", str(self.data)],
                env=os.environ | self.settings | (settings or {}) | {"NOTIFY_SOCKET": address},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=inherits,
                start_new_session=True,
            )
        started = Started(name, process, log, ready)
        self._started.append(started)
        return started

    def run(self, *command: str) -> str:
        """Run a waypost command to its end; what it printed."""
        done = subprocess.run(
            [*WAYPOST, *command, "--data", str(self.data)],
            env=os.environ | self.settings,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NotStartedError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout
