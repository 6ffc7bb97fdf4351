"""Answers to the command line: what was sent to an address, what was stored last, what would go.

The core owns the event store, so `waypost who` and `waypost events tail` ask through a job file (`job.py`). An answer
holds readers' addresses: the file is for its owner only, who asked removes it and, when that was interrupted, the core
does within minutes.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from waypost.pipeline.job import Job, JobFile, JobState, JobWatch
from waypost.store import EventStore
from waypost.store.errors import StoreError
from waypost.store.lookup import Seen, SentTo
from waypost.store.retention import Going, Keep


class Position(Struct, frozen=True):
    """Of a stored event."""

    stored_at: datetime
    event_id: UUID


class Question(Job, frozen=True, kw_only=True):
    """One question, and its answer once it is over."""

    account: int | None = None
    """None: all."""
    limit: int
    address: str | None = None
    """What was sent to it; None: what was stored last."""
    after: Position | None = None
    """What was stored after this; None: the newest."""
    keep: Keep | None = None
    """What would go if this were kept."""
    sends: tuple[SentTo, ...] = ()
    seen: tuple[Seen, ...] = ()
    going: Going | None = None


# Twice as long as who asks waits for the answer.
_KEPT: Final = timedelta(minutes=2)
QUESTION: Final = JobFile("question.json", Question)


class Answering:
    """Answers the question in a data directory. For the pipeline's thread."""

    def __init__(self, data: Path, store: EventStore, *, now: Callable[[], datetime]) -> None:
        """Do nothing yet."""
        self._data = data
        self._lookup = store.lookup
        self._retention = store.retention
        self._now = now
        self._watch = JobWatch(QUESTION, data)
        self._look_at: datetime | None = None

    def work(self) -> int:
        """Answer it, if there is one; returns how many that was.

        Raises:
            OSError, msgspec.DecodeError: the question cannot be read, or its answer not be written.
        """
        self._forget()
        question = self._watch.newest()
        if question is None:
            return 0
        try:
            answered = self._answered(question)
        except StoreError as error:
            # Who asked is told, and may ask again.
            answered = replace(question, state=JobState.FAILED, problem=str(error))
        QUESTION.update(self._data, answered)
        return 1

    def _forget(self) -> None:
        """Remove what nobody waits for any more: it names a reader, and who asked was killed before the answer."""
        now = self._now()
        if self._look_at is not None and now < self._look_at:
            return
        self._look_at = now + _KEPT
        there = QUESTION.read(self._data)
        if there is not None and there.asked_at < now - _KEPT:
            QUESTION.call_off(self._data, there)

    def _answered(self, question: Question) -> Question:
        account, limit = question.account, question.limit
        if question.keep is not None:
            return replace(question, state=JobState.DONE, going=self._retention.going(question.keep))
        if question.address is not None:
            sends = self._lookup.sent_to(question.address, account, limit)
            return replace(question, state=JobState.DONE, sends=tuple(sends))
        now = self._now()
        if question.after is None:
            seen = self._lookup.newest(account, limit, now)
        else:
            seen = self._lookup.since(account, limit, now, (question.after.stored_at, question.after.event_id))
        return replace(question, state=JobState.DONE, seen=tuple(seen))
