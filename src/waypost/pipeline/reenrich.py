"""Enrichment over stored events, in rounds between those of the collector: none of them holds up clicks for long."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from waypost.events.client import HINTS, Client
from waypost.events.client_parser import ClientParser
from waypost.events.hit import HitKind
from waypost.geoip.locator import Locator
from waypost.pipeline.enrich import StepName
from waypost.pipeline.job import Job, JobFile, JobState, JobWatch
from waypost.pipeline.patience import Patience
from waypost.store.columns import client_values, location_values
from waypost.store.derived import CLIENT, LOCATION, Derived
from waypost.store.history import Choice, History, Inputs

log = logging.getLogger(__name__)

# Of one round. Looking up so many takes a few seconds, in which no click is stored, and 100 MB; fewer would rewrite a
# month's parts more often.
_KEYS_MAX: Final = 200_000

_DERIVED: Final[dict[StepName, Derived]] = {StepName.CLIENT: CLIENT, StepName.LOCATION: LOCATION}


class Round(Struct, frozen=True):
    """What is written at once: a share of the keys of one month."""

    step: StepName
    partition: str
    share: int
    shares: int


class EnrichJob(Job, frozen=True, kw_only=True):
    """Steps to be run again over stored events: those since a time or, without one, those a step is still to do.

    An event counts once for each step.
    """

    steps: list[StepName]
    rounds: list[Round] = field(default_factory=list)
    """Still to be done, in order."""
    failures: int = 0
    """Distinct addresses or clients that a step failed for again; their events stay as they were."""


ENRICH: Final = JobFile("enrich.json", EnrichJob)

Look = Callable[[Sequence[Inputs]], list[tuple[object, ...]]]
"""What a step finds out of each, as its columns hold it."""


class Reenrichment:
    """Does the job in a data directory, a round at a time. For the pipeline's thread."""

    def __init__(
        self,
        data: Path,
        history: History,
        parser: ClientParser,
        locator: Locator,
        *,
        keys_max: int = _KEYS_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Do nothing yet."""
        self._data = data
        self._history = history
        self._parser = parser
        self._locator = locator
        self._keys_max = keys_max
        self._patience = Patience(monotonic)
        self._look: dict[StepName, Look] = {StepName.CLIENT: self._clients, StepName.LOCATION: self._locations}
        self._watch = JobWatch(ENRICH, data)

    def work(self) -> int:
        """Do one round, if there is one to do and none goes on; returns how many rounds that was.

        Raises:
            StoreFailed: the round is done again next time.
            OSError, msgspec.DecodeError: the job cannot be read or written.
        """
        job = self._watch.newest()
        if job is None:
            return 0
        problem = self._history.going_on()
        if self._patience.is_over(problem):
            self._history.give_up()
            self._save(replace(job, state=JobState.FAILED, problem=problem))
        if problem is not None:
            return 0
        self._save(self._next(job))
        return 1

    def _save(self, job: EnrichJob) -> None:
        if not ENRICH.update(self._data, job):
            # First of all: without its table a round that was begun would fail for ever, and every erasure behind it.
            self._history.give_up()
            self._history.finish()
        if job.state is JobState.FAILED:
            log.error("enriching events again is given up after %d: %s", job.events_done, job.problem)
        elif job.is_over:
            log.info("events are enriched again: %d events", job.events_done)

    def _next(self, job: EnrichJob) -> EnrichJob:
        if job.state is JobState.WAITING:
            return self._planned(job)
        if not job.rounds:
            self._history.finish()
            return replace(job, state=JobState.DONE)
        events, failures = self._round(job, job.rounds[0])
        return replace(
            job,
            rounds=job.rounds[1:],
            events_done=job.events_done + events,
            failures=job.failures + failures,
            problem="",
        )

    def _planned(self, job: EnrichJob) -> EnrichJob:
        if StepName.LOCATION in job.steps and not self._locator.is_ready:
            return replace(job, state=JobState.FAILED, problem="there is no geoip database: run `waypost geoip update`")
        rounds, events = [], 0
        for step in job.steps:
            for month in self._history.months(_choice(job, step)):
                shares = -(-month.keys // self._keys_max)
                rounds += [Round(step, month.partition, share, shares) for share in range(shares)]
                events += month.events
        return replace(job, state=JobState.RUNNING, rounds=rounds, events=events)

    def _round(self, job: EnrichJob, now: Round) -> tuple[int, int]:
        """Look up what one round is about, and begin to write it; returns how many events and how many failures."""
        choice = _choice(job, now.step)
        inputs = self._history.inputs(choice, now.partition, now.share, now.shares)
        found, failures = self._found(now.step, inputs)
        self._history.rewrite(choice, now.partition, found)
        return sum(each.events for each in inputs), failures

    def _found(self, step: StepName, inputs: Sequence[Inputs]) -> tuple[list[tuple[object, ...]], int]:
        """Each key with what the step finds, and how many it fails for: one fails all that it is looked up with."""
        try:
            answers = self._look[step](inputs)
        except Exception as error:  # noqa: BLE001 -- whatever a step's library raises on a reader's input
            if len(inputs) == 1:
                log.error("the %s of %d stored events cannot be had: %r", step, inputs[0].events, error)  # noqa: TRY400
                return [], 1
            middle = len(inputs) // 2
            halves = [self._found(step, half) for half in (inputs[:middle], inputs[middle:])]
            return halves[0][0] + halves[1][0], halves[0][1] + halves[1][1]
        return [(each.key, *answer) for each, answer in zip(inputs, answers, strict=True)], 0

    def _clients(self, inputs: Sequence[Inputs]) -> list[tuple[object, ...]]:
        return [client_values(self._client(*each.values)) for each in inputs]

    def _client(self, event: str, user_agent: str, hints: Sequence[str]) -> Client:
        headers = {"user-agent": user_agent, **dict(zip(HINTS, hints, strict=True))}
        return self._parser.parse(HitKind(event), headers)

    def _locations(self, inputs: Sequence[Inputs]) -> list[tuple[object, ...]]:
        return [*map(location_values, self._locator.locate_all([each.key for each in inputs]))]


def _choice(job: EnrichJob, step: StepName) -> Choice:
    return Choice(_DERIVED[step], job.since)
