"""Looking at what the workers left in their files, on a thread of its own: no answer of the agent waits for a disk."""

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Final

import msgspec

from waypost.agent.view import View, Worker
from waypost.geoip.state import State as GeoipState
from waypost.geoip.state import read_state
from waypost.keyfile import KeyfileError, keyring_path, load_keyring
from waypost.keyfile.snapshot import snapshot_path
from waypost.keyfile.watched import WatchedKeyring, WatchedSnapshot
from waypost.spool.conservation import account, worker_directories
from waypost.spool.counters import read_seen, read_status
from waypost.spool.names import SEALED_SUFFIX
from waypost.spool.reader import count_records

LOOK_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


class Watch:
    """Keeps the newest view.

    Args:
        data: data directory.
        expected: names of the workers that are to run here.
        wall: seconds since 1970.
    """

    def __init__(self, data: Path, expected: tuple[str, ...], wall: Callable[[], float]) -> None:
        self._data = data
        self._expected = expected
        self._wall = wall
        self._keyring: WatchedKeyring | None = None
        self._snapshot: WatchedSnapshot | None = None
        self._counted: dict[Path, int] = {}
        """Records of sealed segments, from the last look."""
        self._asked: dict[Path, int] = {}
        self._stopped = Event()
        self._view = View(wall(), keyring_problem="the keyring has not been read yet")

    def __call__(self) -> View:
        """The view taken last."""
        return self._view

    def start(self) -> None:
        """Look from now on."""
        Thread(target=self._run, name="watch", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def look(self) -> None:
        """Take a view."""
        problem = self._look_at_keyring()
        if self._snapshot is not None:
            self._snapshot.look()
        workers, spool_problem = self._workers()
        geoip, geoip_problem = self._geoip()
        self._view = View(
            at=self._wall(),
            workers=workers,
            keyring=self._keyring.keyring if self._keyring else None,
            keyring_problem=problem,
            snapshot=self._snapshot.snapshot if self._snapshot else None,
            snapshot_problem=self._snapshot.problem if self._snapshot else "",
            spool_problem=spool_problem,
            geoip=geoip,
            geoip_problem=geoip_problem,
        )

    def _look_at_keyring(self) -> str:
        path = keyring_path(self._data)
        try:
            if self._keyring is None:
                watched = self._keyring = WatchedKeyring(path)
                self._snapshot = WatchedSnapshot(snapshot_path(self._data), lambda: watched.keyring)
            else:
                self._keyring.look()
                load_keyring(path)
        except KeyfileError as error:
            return str(error)
        return self._keyring.problem

    def _geoip(self) -> tuple[GeoipState | None, str]:
        try:
            return read_state(self._data), ""
        except (OSError, msgspec.DecodeError) as error:
            return self._view.geoip, str(error)

    def _workers(self) -> tuple[tuple[Worker, ...], str]:
        spool = self._data / "spool"
        try:
            names = {directory.name for directory in worker_directories(spool)} | set(self._expected)
            workers = tuple(self._worker(spool / name) for name in sorted(names))
        except OSError as error:
            return self._view.workers, str(error)
        self._counted, self._asked = self._asked, {}
        return workers, ""

    def _worker(self, directory: Path) -> Worker:
        return Worker(
            name=directory.name,
            expected=directory.name in self._expected,
            status=read_status(directory),
            seen=read_seen(directory),
            account=account(directory, self._records_of),
        )

    def _records_of(self, path: Path) -> int:
        """A sealed segment does not change: each is counted once. An open one does."""
        if path.suffix != SEALED_SUFFIX:
            return count_records(path)
        records = self._asked[path] = self._counted[path] if path in self._counted else count_records(path)
        return records

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                log.exception("the data directory could not be looked at")
            if self._stopped.wait(LOOK_SECONDS):
                return
