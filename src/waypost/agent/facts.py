"""Keyring and snapshot from the core into their files, and word of what the workers hold back to it.

A file is replaced only by what is good, and never by less: keys are added, a snapshot's version rises.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Final

from waypost import __version__
from waypost.agent.backoff import pause_seconds
from waypost.agent.core import Core, read_keyring, read_snapshot
from waypost.agent.errors import CoreConfused, CoreError
from waypost.agent.view import Remote, View
from waypost.fleet.courier import HeldByWorker, HeldKey, Report
from waypost.keyfile import KeyfileError, keyring_path, load_keyring
from waypost.keyfile.file import changing, replace_file
from waypost.keyfile.snapshot import load_snapshot, snapshot_path
from waypost.links.keyring import Keyring

FETCH_SECONDS: Final = 2.0
REPORT_SECONDS: Final = 10.0
"""Also when nothing changed, so that the core knows which edges live."""
LONGEST_PAUSE_SECONDS: Final = 4.0
"""A core that is back is asked within this: a block is to be obeyed within 5 s."""

log = logging.getLogger(__name__)


class Facts:
    """Fetches and reports, on a thread of its own.

    Args:
        core: to ask.
        data: data directory.
        view: the newest one, for the report.
        wall: seconds since 1970.
        chance: from 0 to 1, drawn anew at each call.
    """

    def __init__(
        self,
        core: Core,
        data: Path,
        view: Callable[[], View],
        *,
        wall: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._core = core
        self._keyring_path = keyring_path(data)
        self._snapshot_path = snapshot_path(data)
        self._view = view
        self._wall = wall
        self._chance = chance
        self._etags = {"keyring": "", "snapshot": ""}
        self._reported: Report | None = None
        self._reported_at = 0.0
        self._stopped = Event()
        self._remote = Remote(core.url)

    def __call__(self) -> Remote:
        """How it goes."""
        return self._remote

    def start(self) -> None:
        """Fetch from now on."""
        Thread(target=self._run, name="facts", daemon=True).start()

    def stop(self) -> None:
        """Fetch no more."""
        self._stopped.set()

    def fetch(self) -> None:
        """Ask for everything once.

        Raises:
            CoreError: it cannot be had.
            OSError: it cannot be written.
            KeyfileError: the keyring here is damaged.
        """
        self._remote = replace(self._remote, keyring_refused=self._fetch_keyring())
        self._remote = replace(self._remote, snapshot_refused=self._fetch_snapshot())
        self._report()

    def _fetch_keyring(self) -> str:
        there = self._keyring_path.exists()
        fetched = self._core.keyring(self._etags["keyring"] if there else "")
        if fetched is None:
            return self._remote.keyring_refused
        offered = read_keyring(fetched)
        with changing(self._keyring_path):
            held = load_keyring(self._keyring_path) if there else None
            if held is not None and (reason := refusal_of(held, offered)):
                self._say_once(reason, self._remote.keyring_refused)
                return reason
            if offered != held:
                replace_file(self._keyring_path, offered.dump())
                log.info("keyring fetched: %d keys", len(offered.keys))
        self._etags["keyring"] = fetched.etag
        return ""

    def _fetch_snapshot(self) -> str:
        fetched = self._core.snapshot(self._etags["snapshot"] if self._snapshot_path.exists() else "")
        if fetched is None:
            return self._remote.snapshot_refused
        keyring = load_keyring(self._keyring_path)
        try:
            offered = read_snapshot(fetched, keyring)
        except CoreConfused as error:
            self._say_once(str(error), self._remote.snapshot_refused)
            return str(error)
        with changing(self._snapshot_path):
            try:
                held = load_snapshot(self._snapshot_path, keyring)
            except KeyfileError:
                held = None  # this one replaces it
            if held is not None and offered.version < held.version:
                reason = f"the snapshot of {self._core.url} is older than the one here and is not used"
                self._say_once(reason, self._remote.snapshot_refused)
                return reason
            replace_file(self._snapshot_path, fetched.data.decode())
        self._etags["snapshot"] = fetched.etag
        return ""

    def _report(self) -> None:
        view, now = self._view(), self._wall()
        if view.keyring is None:
            return
        report = report_of(view)
        if same_holdings(report, self._reported) and 0 <= now - self._reported_at < REPORT_SECONDS:
            return
        self._core.report(report)
        self._reported, self._reported_at = report, now

    def _say_once(self, reason: str, before: str) -> None:
        if reason != before:
            log.error("%s", reason)

    def _run(self) -> None:
        failures = 0
        pause = 0.0
        while not self._stopped.wait(pause):
            try:
                self.fetch()
            except (CoreError, OSError, KeyfileError) as error:
                failures += 1
                if failures == 1:
                    log.warning("%s gives no news: %s", self._core.url, error)
                self._remote = replace(self._remote, failure=str(error), failures=self._remote.failures + 1)
                asked = error.retry_after_seconds if isinstance(error, CoreError) else None
                pause = min(LONGEST_PAUSE_SECONDS, pause_seconds(failures, asked, self._chance()))
            except Exception:
                log.exception("news of the core could not be taken")
                pause = LONGEST_PAUSE_SECONDS
            else:
                if failures:
                    log.info("%s is back", self._core.url)
                failures = 0
                self._remote = replace(self._remote, contact_at=self._wall(), failure="")
                pause = FETCH_SECONDS


def refusal_of(held: Keyring, offered: Keyring) -> str:
    """Why a keyring is not taken in place of the one here; empty when it is. Links sealed with a lost key are dead."""
    theirs = {key.key_id: key.secret for key in offered.keys}
    missing = [str(key.key_id) for key in held.keys if key.key_id not in theirs]
    other = [str(key.key_id) for key in held.keys if theirs.get(key.key_id, key.secret) != key.secret]
    if missing:
        return f"the core's keyring is not used: it lacks key {', '.join(missing)}, which links here may need"
    if other:
        return f"the core's keyring is not used: its key {', '.join(other)} is another one than that here"
    return ""


def report_of(view: View) -> Report:
    """What is said of this machine; the view has a keyring."""
    keys = view.keyring.keys if view.keyring else ()
    return Report(
        release=__version__,
        keys=[HeldKey(key.key_id, key.fingerprint) for key in keys],
        workers=[
            HeldByWorker(
                worker.name,
                sorted(worker.status.key_ids),
                worker.status.snapshot_version,
                worker.status.heartbeat_at_ms,
            )
            for worker in view.workers
            if worker.expected and worker.status is not None
        ],
    )


def same_holdings(report: Report, other: Report | None) -> bool:
    """Whether nothing changed but the time."""
    return other is not None and _timeless(report) == _timeless(other)


def _timeless(report: Report) -> tuple[object, ...]:
    return report.keys, [(each.name, each.key_ids, each.snapshot_version) for each in report.workers]


def fetch_first_keyring(core: Core, data: Path) -> None:
    """The keyring of an edge that has none yet.

    Raises:
        CoreError: it cannot be had.
        OSError: it cannot be written.
    """
    fetched = core.keyring("")
    if fetched is None:
        raise CoreConfused("it says that a keyring nobody has is unchanged")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(keyring_path(data), read_keyring(fetched).dump())
