"""Waypost as an operator has it: `waypost up` in a process of its own, and the command line beside it."""

import contextlib
import importlib
import io
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from waypost.cli.main import main

WAYPOST = (sys.executable, "-m", "waypost")
STOP_SECONDS = 30


class NotReadyError(Exception):
    """`waypost up` ended before it was ready; the message is the end of its log."""


class Product:
    """A `waypost up`, started and stopped.

    Args:
        folder: where `data`, `waypost.toml` and `waypost.log` go.
        relay_port: of the SMTP server on this machine that takes what is sent.
        waypost: the command and its first arguments.
        ports: wanted for API, edge and the edge's internal listener; others are taken where they are not free.
    """

    def __init__(
        self,
        folder: Path,
        relay_port: int,
        *,
        waypost: Sequence[str] = WAYPOST,
        ports: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        self.data = folder / "data"
        self.log = folder / "waypost.log"
        self.config = folder / "waypost.toml"
        self.api_port, self.edge_port, self.internal_port = (free_port(port) for port in ports)
        self.origin = f"http://127.0.0.1:{self.api_port}"
        self.process: subprocess.Popen[str] | None = None
        self._waypost = waypost
        self._options = ("--data", str(self.data), "--config", str(self.config))
        self.config.write_text(
            f'[control]\nlisten = "127.0.0.1:{self.api_port}"\n'
            f'[edge]\nlisten = "127.0.0.1:{self.edge_port}"\ninternal_listen = "127.0.0.1:{self.internal_port}"\n'
            f"[mail]\nrelay_port = {relay_port}\n"
        )

    def start(self, tell: Callable[[str], None] = lambda _: None) -> None:
        """Return once everything serves; `tell` gets each line that it prints meanwhile.

        Raises:
            NotReadyError: it ended instead.
        """
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._waypost, "up", *self._options], stdout=subprocess.PIPE, stderr=log, text=True
            )
        importlib.import_module("waypost.cli.control_database")  # what takes long of `command`, while it starts
        for line in self.process.stdout:
            tell(line.rstrip())
            if line.startswith("Ready"):
                return
        self.stop()
        raise NotReadyError(self.log.read_text()[-2000:])

    def stop(self) -> None:
        """Stop it as Ctrl+C would, and wait."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=STOP_SECONDS)

    def command(self, *arguments: str) -> str:
        """Run another waypost command; what it printed.

        In this process: a new one would spend a second or two on imports, for each of them.
        """
        with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(io.StringIO()):
            main(arguments, prog_name="waypost", standalone_mode=False)
        return printed.getvalue().strip()

    def approved_account(self, email: str, sending_domain: str) -> tuple[str, str]:
        """Make an account that may send, with its links on localhost; the key and secret of an API key of it."""
        options = self._options
        self.command("accounts", "create", "--name", sending_domain, "--email", email, *options)
        self.command("accounts", "approve", email, *options)
        domains = ("--sending-domain", sending_domain, "--link-domain", "localhost")
        self.command("profiles", "create", email, "--name", sending_domain, *domains, *options)
        key, _, secret = self.command("api-keys", "create", email, "--name", "demo", *options).partition(":")
        return key, secret


def free_port(wanted: int = 0) -> int:
    """`wanted` if nobody has it, else any free port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
