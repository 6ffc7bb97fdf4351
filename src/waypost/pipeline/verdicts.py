"""Human or machine: a first verdict on each hit as it is stored, the final one when its burst is over."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from waypost.events.verdict import (
    SETTLED_AFTER,
    Evidence,
    SendFacts,
    Verdict,
    VerdictClass,
    classify_batch,
    settled_at,
)
from waypost.pipeline.counts import Count, Counts
from waypost.pipeline.hold import Hold
from waypost.store import EventStore
from waypost.store.verdicts import HITS_OF_A_SEND_MAX, Judged, StoredHit, Subject

LOCK: Final = "verdicts"
"""Among several pipelines of one store, the one that holds it writes verdicts."""
# Due subjects are looked for over all events: a few milliseconds, but not at each poll of the spool.
_LOOK_SECONDS: Final = 5
# A subject is a handful of hits, and one update writes the verdicts of all.
_SUBJECTS: Final = 2000


class Change(Struct, frozen=True):
    """A verdict that is not what it was."""

    account: int
    send_id: UUID | None
    hit: Evidence
    before: VerdictClass | None
    """None: there was none."""
    verdict: Verdict
    """What it is now."""
    identified: bool = True
    """Whether it is known whose send it is: a pseudonym leads to none."""

    @property
    def after(self) -> VerdictClass:
        """The class it is now."""
        return self.verdict.verdict_class


class Settler:
    """Judges the hits of a send again, with all that is known of it, once nothing more of the burst can come."""

    def __init__(
        self,
        store: EventStore,
        counts: Counts,
        held: Hold,
        *,
        now: Callable[[], datetime],
        changed: Callable[[Sequence[Change]], None] = lambda _: None,
        settled: Callable[[Sequence[Judged]], None] = lambda _: None,
    ) -> None:
        """Do nothing yet.

        Args:
            store: its hits are judged.
            counts: raised as things happen.
            held: holds `LOCK` against other processes.
            now: aware, UTC.
            changed: told, before they are written, which verdicts change; an error of its leaves them to be settled.
            settled: told, once they are written, which verdicts are final.
        """
        self._verdicts = store.verdicts
        self._counts = counts
        self._held = held
        self._now = now
        self._changed = changed
        self._settled = settled
        self._look_at: datetime | None = None

    def settle(self) -> int:
        """Settle what is due; returns how many hits were.

        Raises:
            StoreFailed: what is not settled is still due.
        """
        now = self._now()
        if self._look_at is not None and now < self._look_at:
            return 0
        self._look_at = now + timedelta(seconds=_LOOK_SECONDS)
        with self._held([LOCK]) as mine:
            if LOCK not in mine:
                return 0
            subjects = self._verdicts.due(now - SETTLED_AFTER, _SUBJECTS)
            settled = self._judge(subjects, now)
        if len(subjects) == _SUBJECTS:
            self._look_at = None
        return settled

    def _judge(self, subjects: Sequence[Subject], now: datetime) -> int:
        if not subjects:
            return 0
        hits = self._verdicts.hits(subjects)
        in_part = {subject for subject, of_one in hits.items() if len(of_one) >= HITS_OF_A_SEND_MAX}
        judged, changes = judge(hits, self._verdicts.sends(hits), now, in_part)
        self._changed(changes)
        self._verdicts.write(judged)
        self._counts.add(Count.SETTLED, len(judged))
        self._counts.add(Count.RECLASSIFIED, len(changes))
        self._settled(judged)
        return len(judged)


def judge(
    hits: Mapping[Subject, Sequence[StoredHit]],
    sends: Mapping[UUID, SendFacts],
    now: datetime,
    in_part: Collection[Subject] = (),
) -> tuple[list[Judged], list[Change]]:
    """Final verdicts on hits that have none, or another one; and those of another class than before.

    Where a hit of a subject was cleared (`waypost.store.retention`), or it is one of those that are there `in_part`,
    final verdicts stay: they rest on more than is known now.
    """
    known = [(subject, hit) for subject, of_one in hits.items() for hit in of_one if not hit.cleared]
    stay = {subject for subject, of_one in hits.items() if any(hit.cleared for hit in of_one)}.union(in_part)
    evidence = [(subject.send_id, hit.evidence) for subject, hit in known]
    over = max([now, *(settled_at([each]) for _, each in evidence)])  # the clock of an edge may be ahead
    judged: list[Judged] = []
    changes: list[Change] = []
    for (subject, hit), after in zip(known, classify_batch(evidence, sends, over), strict=True):
        if after == hit.verdict or (subject in stay and hit.verdict is not None and hit.verdict.final):
            continue
        event_id = hit.evidence.event_id
        judged.append(Judged(subject.account, subject.send_id, event_id, hit.evidence.occurred_at, after))
        before = hit.verdict.verdict_class if hit.verdict else None
        if before is not after.verdict_class:
            # Who clicks follows a tracked link of the send: where none is known there is no record of a send.
            identified = subject.send_id is not None and subject.send_id in sends and sends[subject.send_id].links > 0
            changes.append(Change(subject.account, subject.send_id, hit.evidence, before, after, identified=identified))
    return judged, changes
