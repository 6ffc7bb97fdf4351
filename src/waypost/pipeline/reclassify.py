"""Verdicts on all stored hits by the rules of today, a page at a time between the rounds of the collector."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec import field
from msgspec.structs import replace

from waypost.pipeline.hold import Hold
from waypost.pipeline.job import Job, JobFile, JobState, JobWatch
from waypost.pipeline.verdicts import LOCK, Change, judge
from waypost.store import EventStore
from waypost.store.verdicts import Page, Position, StoredHit, Subject

log = logging.getLogger(__name__)

# A second or so, in which no click is stored.
_PAGE_HITS: Final = 5000
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ReclassifyJob(Job, frozen=True, kw_only=True):
    """All hits since a time are judged again; without one, all there are."""

    after: Position | None = None
    """The last one that was."""
    changes: dict[str, int] = field(default_factory=dict)
    """How many hits of which class became which: `human to machine`."""
    kept: int = 0
    """Hits that keep their verdict because it, or that on another of their send, rests on what was cleared."""


RECLASSIFY: Final = JobFile("reclassify.json", ReclassifyJob)


class Reclassification:
    """Does the job in a data directory. For the pipeline's thread.

    Nobody is told of a verdict that changes here: a webhook is about what happened, and not about new rules.
    """

    def __init__(
        self, data: Path, store: EventStore, held: Hold, *, now: Callable[[], datetime], page_hits: int = _PAGE_HITS
    ) -> None:
        """Do nothing yet; `held` holds a name against other processes, `now` is aware, UTC."""
        self._data = data
        self._verdicts = store.verdicts
        self._held = held
        self._now = now
        self._page_hits = page_hits
        self._watch = JobWatch(RECLASSIFY, data)

    def work(self) -> int:
        """Judge one page, if there is one to judge; returns how many hits were on it.

        Raises:
            StoreFailed: the page is judged again next time.
            OSError, msgspec.DecodeError: the job cannot be read or written.
        """
        job = self._watch.newest()
        if job is None:
            return 0
        with self._held([LOCK]) as mine:
            return self._page(job) if LOCK in mine else 0

    def _page(self, job: ReclassifyJob) -> int:
        since = job.since or _EVER
        if job.state is JobState.WAITING:
            RECLASSIFY.update(self._data, replace(job, state=JobState.RUNNING, events=self._verdicts.count(since)))
            return 1
        page = self._verdicts.page(since, job.after, self._page_hits)
        if not page.hits:
            RECLASSIFY.update(self._data, replace(job, state=JobState.DONE))
            log.info("verdicts are renewed: %d events, %s", job.events_done, job.changes or "no change")
            return 1
        hits = self._verdicts.hits(page.subjects)
        # What is not final yet is the settler's, with the rules of today as well.
        final = {subject: of_one for subject, of_one in hits.items() if all(map(_is_final, of_one))}
        judged, changes = judge(final, self._verdicts.sends(final), self._now())
        self._verdicts.write(judged)
        done = replace(
            job,
            after=page.hits[-1],
            events_done=job.events_done + len(page.hits),
            changes=dict(Counter(job.changes) + Counter(map(_named, changes))),
            kept=job.kept + _kept(page, hits),
        )
        RECLASSIFY.update(self._data, done)
        return len(page.hits)


def _is_final(hit: StoredHit) -> bool:
    return hit.verdict is not None and hit.verdict.final


def _kept(page: Page, hits: Mapping[Subject, Sequence[StoredHit]]) -> int:
    """Of the hits on a page: a send may lie on two."""
    on_page = {each.event_id for each in page.hits}
    cleared = [of_one for of_one in hits.values() if any(hit.cleared for hit in of_one)]
    return sum(hit.evidence.event_id in on_page for of_one in cleared for hit in of_one)


def _named(change: Change) -> str:
    return f"{change.before} to {change.after}"
