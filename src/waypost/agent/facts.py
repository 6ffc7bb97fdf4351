"""What the core publishes into the files here, every two seconds, and word of what the workers hold back to it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Final

from waypost import __version__
from waypost.agent.backoff import pause_seconds
from waypost.agent.core import Core
from waypost.agent.documents import Documents
from waypost.agent.errors import CoreError
from waypost.agent.view import Remote, View
from waypost.fleet.courier import HeldByWorker, HeldKey, Report
from waypost.keyfile import KeyfileError

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
        self._documents = Documents(core, data)
        self._view = view
        self._wall = wall
        self._chance = chance
        self._reported: Report | None = None
        self._reported_at = 0.0
        self._stopped = Event()
        self._remote = Remote(core.url)

    def __call__(self) -> Remote:
        """How it goes."""
        refused = self._documents.keyring_refused, self._documents.snapshot_refused
        return replace(self._remote, keyring_refused=refused[0], snapshot_refused=refused[1])

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
        self._documents.fetch()
        self._report()

    def _report(self) -> None:
        view, now = self._view(), self._wall()
        if view.keyring is None:
            return
        report = report_of(view)
        if same_holdings(report, self._reported) and 0 <= now - self._reported_at < REPORT_SECONDS:
            return
        self._core.report(report)
        self._reported, self._reported_at = report, now

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
