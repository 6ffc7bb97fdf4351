"""Group commit: many hits, one write, one sync, on a thread of its own, and no reader waits longer than agreed.

Hits that arrive together travel to the thread as one batch. A sync costs as much CPU as a redirect, however many share
it, so for long there is no more than one in SPACING_SECONDS: what comes meanwhile is the next batch. A few batches that
happen to come together are not held up, nor is a large one. The loop stands still for the moment a good disk takes
(BRIEF_MILLISECONDS at most): two threads that take turns cost half of what two that compete for the interpreter do, and
the next batch is larger. A batch that takes longer is settled when the thread has said that it is done, or by the wait
limit, whichever comes first; meanwhile more batches queue up and are taken together.
"""

import asyncio
import logging
import os
import select
import signal
import sys
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread

from waypost.events.hit import Hit
from waypost.spool.counters import Count, Counters
from waypost.spool.errors import SpoolInUseError
from waypost.spool.segments import SegmentWriter

QUEUE_HITS_MAX = 10_000
"""About 20 MB. Beyond it the disk is seconds behind, and memory is worth more than these hits."""
_WRITE_HITS_MAX = 1_000
"""In one write: about 1 MB."""
_STOP_SECONDS = 5.0
_FAULT_SECONDS = 1.0
"""After a fault, until what is due is tried again."""
_STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}

BRIEF_MILLISECONDS = 1
"""A sync takes 0.15 ms on the disks seen so far. Nobody notices a millisecond, and only an idle writer is waited for: a
slow disk is not waited for twice."""

SPACING_SECONDS = 0.002
"""Between batches, in the mean."""
CREDIT_SECONDS = 0.02
"""Of spacing that a pause saves up: where clicks come one by one, the wait would cost readers more than it saves."""

ENOUGH_HITS = 32
"""A batch of so many is not held up: what is shared costs each of them next to nothing."""

_ONE = ((1).to_bytes(8, sys.byteorder),)
"""What an eventfd takes. By `writev`: `make torture` has each `write` of this thread fail, and means the disk's."""

Release = Callable[[Count], None]
"""Called once, in the event loop, when the reader may be answered: with KEPT, UNSYNCED or one of LOST."""

log = logging.getLogger(__name__)


class _Batch:
    """Hits that came together. `_lock` of GroupCommit guards what both threads touch."""

    __slots__ = ("begun", "hits", "owed", "releases", "timer", "written")

    def __init__(self, begun: float) -> None:
        self.begun = begun
        """When its first hit came, by the clock of the event loop."""
        self.hits: list[Hit] = []
        self.releases: list[Release] | None = []
        """None once released."""
        self.timer: asyncio.TimerHandle | None = None
        self.written = False
        self.owed = False


class GroupCommit:
    """Keeps hits; `append` and `close` belong to the event loop's thread.

    Args:
        segments: written to by the thread only, from now on.
        counters: where answered, unsynced and owed hits are counted.
        wait_seconds: longest wait of a reader.
        loop: where releases are called.
        soon: has a function called in the loop once the hits that came together are all appended.
    """

    def __init__(
        self,
        segments: SegmentWriter,
        counters: Counters,
        *,
        wait_seconds: float,
        loop: asyncio.AbstractEventLoop,
        soon: Callable[[Callable[[], None]], object],
    ) -> None:
        self._segments = segments
        self._counters = counters
        self._wait_seconds = wait_seconds
        self._loop = loop
        self._soon = soon
        self._gathering: _Batch | None = None
        self._next_at = 0.0
        self._held: asyncio.TimerHandle | None = None
        """While the gathering batch waits for its turn."""
        self._queue: SimpleQueue[_Batch | None] = SimpleQueue()
        self._queued_hits = 0
        self._lock = Lock()
        self._done: list[tuple[list[_Batch], Count]] = []
        self._told = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        """Readable while something is done. Not a lock: who is woken by one finds the interpreter taken."""
        self._poll = select.poll()
        self._poll.register(self._told, select.POLLIN)
        loop.add_reader(self._told, self._settle_done)
        self._brief = min(BRIEF_MILLISECONDS, wait_seconds * 1000)
        self._prepared: asyncio.Future[None] = loop.create_future()
        self._drained = Event()
        """By the thread, at the end: it has said of every batch what became of it."""
        self._settled = Event()
        """By the loop, after that: all is answered, and counted."""
        self._writer = self._start()

    async def prepared(self, seconds: float) -> None:
        """Return once the thread has the spool directory, or the disk has had so long for it.

        Raises:
            SpoolInUseError: another process has it.
        """
        await asyncio.wait([self._prepared], timeout=seconds)
        if self._prepared.done():
            self._prepared.result()

    def append(self, hit: Hit, release: Release) -> None:
        """Keep a hit, and call `release` when its reader may be answered, after `wait_seconds` at the latest."""
        batch = self._gathering
        if batch is None:
            now = self._loop.time()
            batch = self._gathering = _Batch(now)
            if now < self._next_at:
                self._held = self._loop.call_at(self._next_at, self._hand_over)
            else:
                self._soon(self._hand_over)
        batch.hits.append(hit)
        assert batch.releases is not None  # noqa: S101 -- a gathering batch is not released; for the type checker
        batch.releases.append(release)
        if self._held is not None and len(batch.hits) >= ENOUGH_HITS:
            self._let_go()
            self._soon(self._hand_over)

    @property
    def is_full(self) -> bool:
        """The disk is so far behind that hits are lost."""
        return self._queued_hits >= QUEUE_HITS_MAX

    async def close(self) -> None:
        """Keep what was appended, seal the segment, end the thread. Nothing may be appended any more."""
        self._hand_over()
        self._queue.put(None)
        self._ensure_writer()
        if not await asyncio.to_thread(self._drained.wait, _STOP_SECONDS):
            log.error("the disk did not answer in %s s: hits in memory are abandoned", _STOP_SECONDS)
            return
        self._settle_done()  # counted before the segments let go of the counters
        self._loop.remove_reader(self._told)
        os.close(self._told)
        self._settled.set()
        await asyncio.to_thread(self._writer.join, _STOP_SECONDS)
        if self._writer.is_alive():
            log.error("the disk did not answer in %s s: the next start seals the segment", _STOP_SECONDS)

    def _hand_over(self) -> None:
        self._let_go()
        batch, self._gathering = self._gathering, None
        if batch is None:
            return
        self._next_at = max(self._next_at, self._loop.time() - CREDIT_SECONDS) + SPACING_SECONDS
        self._settle_done()  # what is done and not yet settled is no reason not to wait
        if self.is_full:
            self._counters.add(Count.LOST_OVERFLOW, len(batch.hits))
            self._release(batch, Count.LOST_OVERFLOW)
            self._ensure_writer()
            return
        idle = not self._queued_hits
        self._queued_hits += len(batch.hits)
        self._queue.put(batch)
        if idle and self._poll.poll(self._brief):
            self._settle_done()
            if batch.releases is None:
                return
        batch.timer = self._loop.call_at(batch.begun + self._wait_seconds, self._expire, batch)
        self._ensure_writer()

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None

    def _ensure_writer(self) -> None:
        if not self._writer.is_alive():
            log.error("the spool's writer thread had died; starting another")
            self._writer = self._start()

    def _release(self, batch: _Batch, outcome: Count) -> None:
        releases, batch.releases = batch.releases, None
        if releases is None:
            return
        self._counters.add(Count.ANSWERED, len(releases))
        for release in releases:
            try:
                release(outcome)
            except Exception:
                log.exception("a reader could not be answered")

    def _expire(self, batch: _Batch) -> None:
        """The wait limit: answer now. A hit not even written is owed, so that a kill before it is still counted."""
        self._settle_done()
        if batch.releases is None:
            return
        self._counters.add(Count.UNSYNCED, len(batch.hits))
        with self._lock:
            if not batch.written:
                batch.owed = True
                self._counters.owe(len(batch.hits))
        self._release(batch, Count.UNSYNCED)

    def _settle_done(self) -> None:
        """Release what the thread is done with."""
        with self._lock:
            if not self._done:
                return
            done, self._done = self._done, []
            os.eventfd_read(self._told)
        for batches, outcome in done:
            for batch in batches:
                self._queued_hits -= len(batch.hits)
                if batch.timer is not None:
                    batch.timer.cancel()
                self._release(batch, outcome)

    def _start(self) -> Thread:
        thread = Thread(target=self._run, name="spool-writer", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        # The kernel may hand a signal of the process to any thread: not to the one that is writing to the disk.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        try:
            self._segments.prepare()
        except SpoolInUseError as error:
            self._loop.call_soon_threadsafe(self._say_prepared, error)
            self._drained.set()
            return
        self._loop.call_soon_threadsafe(self._say_prepared, None)
        stopping = False
        while not stopping:
            batches, stopping = self._take()
            if batches:
                self._keep(batches)
        self._drained.set()
        self._settled.wait()
        self._segments.close()

    def _say_prepared(self, error: SpoolInUseError | None) -> None:
        if self._prepared.done():
            return
        if error is None:
            self._prepared.set_result(None)
        else:
            self._prepared.set_exception(error)

    def _take(self) -> tuple[list[_Batch], bool]:
        """Wait for batches, doing what is due meanwhile. Returns what there is, and whether to stop after it."""
        batches: list[_Batch] = []
        hits = 0
        try:
            batch = self._queue.get(timeout=self._tick())
        except Empty:
            return batches, False
        while batch is not None:
            batches.append(batch)
            hits += len(batch.hits)
            if hits >= _WRITE_HITS_MAX or self._queue.empty():
                return batches, False
            batch = self._queue.get_nowait()
        return batches, True

    def _tick(self) -> float | None:
        try:
            return self._segments.tick()
        except Exception:
            log.exception("the spool's writer cannot do what is due")
            return _FAULT_SECONDS

    def _keep(self, batches: list[_Batch]) -> None:
        hits = [hit for batch in batches for hit in batch.hits]
        written = False
        outcome = None
        try:
            outcome = self._segments.write(hits)
            written = True
            self._mark_written(batches)
            if outcome is None:
                outcome = self._segments.sync()
        except Exception:
            log.exception("the spool's writer failed")
            outcome = None
            self._segments.abandon(unwritten=0 if written else len(hits))
            self._mark_written(batches)
        finally:
            # Whatever has failed: a batch without an outcome would be waited for without end.
            self._tell(batches, outcome or Count.LOST_WRITER)

    def _tell(self, batches: list[_Batch], outcome: Count) -> None:
        with self._lock:
            if not self._done:
                os.writev(self._told, _ONE)
            self._done.append((batches, outcome))

    def _mark_written(self, batches: list[_Batch]) -> None:
        """Written, or counted lost: either way a kill loses them no more."""
        with self._lock:
            for batch in batches:
                batch.written = True
                if batch.owed:
                    batch.owed = False
                    self._counters.owe(-len(batch.hits))
