"""Handing sealed segments over to the core, oldest first, for as long as it takes.

A segment leaves this machine's spool only after the core has said that it is stored. Told twice, it is stored once: the
core knows a record by its segment and its number.
"""

import gzip
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from threading import Event, Thread
from typing import Final

from waypost.agent.backoff import pause_seconds
from waypost.agent.core import Core
from waypost.agent.errors import CoreConfused, CoreError, CoreRefused
from waypost.agent.view import Shipping
from waypost.fleet.courier import WORKER, Receipt
from waypost.spool import (
    DONE_SUFFIX,
    QUARANTINE_SUFFIX,
    Ledger,
    purge_done,
    purge_quarantined,
    replayed_segments,
    sealed_segments,
    segment_id,
)
from waypost.spool.reader import count_records

AT_ONCE: Final = 2
"""One on its way while the core stores the other. A segment takes its size in memory, and the agent is to be small."""
REPLAYED_BATCHES: Final = 10
"""Of replayed segments before the newest sealed ones get their turn again: a second or so."""
LOOK_SECONDS: Final = 0.2
PURGE_SECONDS: Final = 5.0
POSTPONED_SECONDS: Final = 60.0
"""Until a segment is offered again that only an operator can make acceptable, or readable."""
_TOO_LARGE: Final = 413

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Settled:
    suffix: str | None
    stored: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class _Postponed:
    reason: str


class Shipper:
    """Ships, on a thread of its own; the one reader of this spool.

    Args:
        core: takes segments.
        spool: directory that holds those of all workers.
        edge: name of this machine's edge: segments recorded under another are not its to deliver.
        keep_seconds: how long a stored segment is kept; 0: not at all.
        quarantine_days: how long one is kept that was set aside; 0: for ever.
        wall: seconds since 1970.
        monotonic: seconds.
        chance: from 0 to 1, drawn anew at each call.
    """

    def __init__(
        self,
        core: Core,
        spool: Path,
        edge: str,
        *,
        keep_seconds: float,
        quarantine_days: int,
        wall: Callable[[], float],
        monotonic: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._core = core
        self._spool = spool
        self._edge = edge
        self._keep_seconds = keep_seconds
        self._quarantine_days = quarantine_days
        self._wall = wall
        self._monotonic = monotonic
        self._chance = chance
        self._ledgers: dict[Path, Ledger] = {}
        self._postponed: dict[Path, tuple[float, str]] = {}
        """Until when, and why."""
        self._purged_at = monotonic()
        self._stopped = Event()
        self._shipping = Shipping()

    def __call__(self) -> Shipping:
        """How it goes."""
        return self._shipping

    def start(self) -> None:
        """Ship from now on."""
        Thread(target=self._run, name="shipper", daemon=True).start()

    def stop(self) -> None:
        """Ship no more; what is on its way is stored once or is handed over again."""
        self._stopped.set()

    def ship(self) -> int:
        """Hand over what is sealed by now, and some of what was replayed; returns how many segments are gone.

        Raises:
            CoreError: the core does not take them now; they are all still there.
        """
        shipped = 0
        for batch in self._batches():
            if self._stopped.is_set():
                break
            # A pool for two segments is made in no time, and none is left behind when this thread ends.
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="shipper") as pool:
                offers = [(path, pool.submit(self._offer, path)) for path in batch]
            failure = None
            for path, offer in offers:
                try:
                    shipped += self._conclude(path, offer.result())
                except FileNotFoundError:
                    continue  # the worker deleted it to stay within its bound, and counted it as dropped
                except OSError as error:  # of this file: the others are to go
                    self._conclude(path, _Postponed(f"segment {segment_id(path)} cannot be shipped: {error}"))
                except CoreError as error:
                    failure = error
            if failure is not None:
                raise failure
        return shipped

    def _batches(self) -> Iterator[list[Path]]:
        sealed, replayed = sealed_segments(self._spool), replayed_segments(self._spool)
        self._postponed = {path: self._postponed[path] for path in (*sealed, *replayed) if path in self._postponed}
        sealed, replayed = self._due(sealed), self._due(replayed)
        self._tell()
        yield from chain(_in_batches(sealed), islice(_in_batches(replayed), REPLAYED_BATCHES))

    def _due(self, paths: list[Path]) -> list[Path]:
        """Those to offer now."""
        now = self._monotonic()
        due = []
        for path in paths:
            if (named := WORKER.fullmatch(path.parent.name)) is None or named["edge"] != self._edge:
                self._postpone(path, f"segments of {path.parent.name} are not this edge's, whose name is {self._edge}")
            elif not segment_id(path).startswith(f"{path.parent.name}."):
                self._postpone(path, f"a segment of another worker lies at {path.parent.name}'s: move it to that one's")
            elif path not in self._postponed or self._postponed[path][0] <= now:
                due.append(path)
        return due

    def _offer(self, path: Path) -> _Settled | _Postponed:
        data = path.read_bytes()
        try:
            receipt = self._core.store(path.parent.name, segment_id(path), gzip.compress(data, 1, mtime=0))
        except CoreRefused as error:
            if error.status == _TOO_LARGE:
                return _Postponed(f"the core refuses segment {segment_id(path)} as too large")
            raise
        return self._judge(path, receipt)

    def _judge(self, path: Path, receipt: Receipt) -> _Settled | _Postponed:
        if receipt.reason == "version":
            return _Postponed("the core is of an older release than this edge and cannot read its segments: upgrade it")
        if receipt.reason:
            return _Settled(QUARANTINE_SUFFIX, receipt.stored, receipt.quarantined)
        if receipt.stored + receipt.quarantined < (records := count_records(path)):
            # Whoever answered has not stored this segment: deleting it would lose clicks.
            raise CoreConfused(f"it says that {receipt.stored} of {records} records are stored")
        if receipt.quarantined:
            return _Settled(QUARANTINE_SUFFIX, receipt.stored, receipt.quarantined)
        return _Settled(DONE_SUFFIX if self._keep_seconds else None, receipt.stored, 0)

    def _conclude(self, path: Path, outcome: _Settled | _Postponed) -> int:
        if isinstance(outcome, _Postponed):
            log.error("%s", outcome.reason)
            self._postpone(path, outcome.reason)
            self._tell()
            return 0
        if (ledger := self._ledgers.get(path.parent)) is None:
            ledger = self._ledgers[path.parent] = Ledger.open(path.parent)
        ledger.settle(path, outcome.suffix, stored=outcome.stored, quarantined=outcome.quarantined)
        if outcome.suffix == QUARANTINE_SUFFIX:
            log.error(
                "segment %s was set aside as %s: the core cannot store all of it", segment_id(path), QUARANTINE_SUFFIX
            )
        self._postponed.pop(path, None)
        self._tell()
        self._shipping = replace(
            self._shipping, segments=self._shipping.segments + 1, records=self._shipping.records + outcome.stored
        )
        return 1

    def _postpone(self, path: Path, reason: str) -> None:
        self._postponed[path] = (self._monotonic() + POSTPONED_SECONDS, reason)

    def _tell(self) -> None:
        reasons = tuple(sorted({reason for _, reason in self._postponed.values()}))
        self._shipping = replace(self._shipping, waiting=reasons)

    def _purge(self) -> None:
        if self._monotonic() - self._purged_at >= PURGE_SECONDS:
            self._purged_at = self._monotonic()
            purge_done(self._spool, self._wall(), self._keep_seconds)
            purge_quarantined(self._spool, self._wall(), self._quarantine_days)

    def _run(self) -> None:
        failures = 0
        pause = 0.0
        while not self._stopped.wait(pause):
            try:
                try:
                    shipped = self.ship()
                finally:
                    self._purge()  # also while the core is away: what is kept tells of readers
            except Exception as error:
                failures += 1
                if failures == 1:
                    log.warning("clicks wait here for %s: %s", self._core.url, error, exc_info=_unforeseen(error))
                self._shipping = replace(self._shipping, failures=self._shipping.failures + 1)
                asked = error.retry_after_seconds if isinstance(error, CoreError) else None
                pause = pause_seconds(failures, asked, self._chance())
            else:
                if failures:
                    log.info("clicks are handed over to %s again", self._core.url)
                failures = 0
                pause = 0.0 if shipped else LOOK_SECONDS


def _in_batches(paths: list[Path]) -> Iterator[list[Path]]:
    for at in range(0, len(paths), AT_ONCE):
        yield paths[at : at + AT_ONCE]


def _unforeseen(error: Exception) -> bool:
    return not isinstance(error, CoreError | OSError)
