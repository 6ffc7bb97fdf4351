"""Edge workers as an operator starts them, and readers that click."""

import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from tests.ports import free_ports

from waypost.keyfile import create_keyring, keyring_path, load_keyring
from waypost.links.token import Sealer

WAYPOST = [str(Path(sys.executable).with_name("waypost"))]
SEND = UUID("019cb7d4-0d59-7000-8000-000000000001")


@dataclass
class Edges:
    """A data directory, its port, and the workers started on it."""

    data: Path
    port: int = field(default_factory=lambda: free_ports(1)[0])
    environment: dict[str, str] = field(default_factory=dict)
    descriptors_max: int | None = None
    """Descriptors a worker may have; none: as many as the tests."""
    under: tuple[str, ...] = ()
    """A command that runs the workers, as strace does."""
    listener: socket.socket | None = None
    """What the workers serve on; none: they listen for themselves."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    """Those that were started, the first one first."""

    def start(self, worker: int = 0) -> subprocess.Popen[str]:
        """Start a worker; returns when it serves."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            address = self.data.parent / f"ready-{next(self._numbers)}"
            ready.bind(str(address))
            ready.settimeout(60)
            process = self.launch(worker, {"NOTIFY_SOCKET": str(address)})
            assert ready.recv(100) == b"READY=1"
        return process

    def launch(self, worker: int = 0, more: dict[str, str] | None = None) -> subprocess.Popen[str]:
        descriptors = [self.listener.fileno()] if self.listener else []
        process = subprocess.Popen(
            [
                *(["prlimit", f"--nofile={self.descriptors_max}"] if self.descriptors_max else []),
                *self.under,
                *WAYPOST,
                *("edge-worker", "--data", str(self.data), "--worker", str(worker)),
                *(f"--listener={descriptor}" for descriptor in descriptors),
            ],
            pass_fds=descriptors,
            env=os.environ
            | {"WAYPOST_EDGE__LISTEN": f"127.0.0.1:{self.port}", "WAYPOST_SPOOL__SEGMENT_SECONDS": "0.2"}
            | self.environment
            | (more or {}),
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()

    def sealer(self) -> Sealer:
        return Sealer(load_keyring(keyring_path(self.data)), "localhost", account=7, profile=8)

    def click_token(self, number: int) -> str:
        return self.sealer().click(SEND, number, f"https://shop.example/{number}")

    def spool(self, worker: int = 0) -> Path:
        return self.data / "spool" / f"edge-{worker}"

    def ask(self, data: bytes) -> bytes:
        """Send bytes on a new connection; everything that comes back until it ends."""
        with socket.create_connection(("127.0.0.1", self.port), 60) as client:
            client.sendall(data)
            answer = b""
            while part := client.recv(65_536):
                answer += part
            return answer

    def is_listened_to(self) -> bool:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port), 60):
            return True
        return False

    def get(self, path: str, method: str = "GET", headers: str = "") -> bytes:
        return self.ask(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n".encode())


@pytest.fixture
def edges(tmp_path: Path) -> Iterator[Edges]:
    started = Edges(tmp_path / "data")
    create_keyring(keyring_path(started.data))
    yield started
    started.stop()
