"""An authoritative name server of one's own, Knot, whose zones change while it runs."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query

from tests.debian import require

START_SECONDS = 60


class Knot:
    """Knot on one address of this machine; `serve` says what it knows.

    Args:
        folder: for its files; the path is short because a Unix socket's may have 107 bytes.
        address: one of 127.0.0.0/8.
        port: of UDP and TCP.
    """

    def __init__(self, folder: Path, address: str, port: int) -> None:
        self.address, self.port = address, port
        self._folder = folder
        self._serial = 0
        self._zones: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def resolver(self) -> str:
        """As the setting `dns.resolvers` names it."""
        return f"{self.address}:{self.port}"

    def start(self) -> None:
        self._write()
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [require("knot", "knotd"), "-c", self._config], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def serve(self, zones: dict[str, str]) -> None:
        """Serve these zones, each the lines of its file; an empty one is declared and cannot be loaded: SERVFAIL."""
        self._zones = zones
        self._write()
        done = subprocess.run(
            [require("knot", "knotc"), "-b", "-c", self._config, "reload"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self._wait()

    @property
    def _config(self) -> Path:
        return self._folder / "knot.conf"

    def _write(self) -> None:
        """The zones' files, and the configuration that names them: Knot takes both in at a reload."""
        self._serial += 1
        declared = ""
        for zone, records in {**self._zones, "serial.test": "@ TXT ready"}.items():
            path = self._folder / f"{zone}.zone"
            path.unlink(missing_ok=True)
            if records:
                head = f"$ORIGIN {zone}.\n$TTL 60\n@ SOA ns1 hostmaster {self._serial} 3600 600 86400 60\n"
                server = "" if "@ NS" in records else f"@ NS ns1\nns1 A {self.address}\n"
                path.write_text(head + server + records + "\n")
            declared += f"  - domain: {zone}\n    file: {path}\n"
        self._config.write_text(
            f"server:\n  rundir: {self._folder}\n  listen: {self.address}@{self.port}\n"
            f"database:\n  storage: {self._folder}/db\n"
            "log:\n  - target: stderr\n    any: warning\n"
            "template:\n  - id: default\n    journal-content: none\n    zonefile-load: whole\n    zonefile-sync: -1\n"
            f"zone:\n{declared}"
        )

    def _wait(self) -> None:
        """Until what was written last is served."""
        query = dns.message.make_query("serial.test.", "SOA")
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError, dns.exception.DNSException):
                answer = dns.query.tcp(query, self.address, 1, self.port)
                if answer.answer and answer.answer[0][0].serial == self._serial:
                    return
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.05)


@contextlib.contextmanager
def running(address: str, port: int) -> Iterator[Knot]:
    """A server until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="waypost-knot-", dir="/tmp"))
    knot = Knot(folder, address, port)
    try:
        knot.start()
        yield knot
    finally:
        knot.stop()
        shutil.rmtree(folder)
