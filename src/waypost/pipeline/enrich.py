"""What a hit says beyond its fields: a list of named steps, each of which may fail without costing the event."""

import logging
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from waypost.events.client import UNKNOWN, Client
from waypost.events.client_parser import ClientParser
from waypost.events.hit import Hit
from waypost.pipeline.counts import Count, Counts

log = logging.getLogger(__name__)

# A step that fails for every hit would fill the disk with its log.
_FAILURES_LOGGED: Final = 10


class StepName(StrEnum):
    """Stored with every event that the step failed for, so that it can be run again: never rename one."""

    CLIENT = "client"


class Facts(Struct, gc=False):
    """What the steps found out. Each step fills its own fields; what it leaves is unknown."""

    client: Client = UNKNOWN
    unenriched: tuple[str, ...] = ()
    """Steps that failed."""


class Step(Struct, frozen=True):
    """One enrichment, and the name it is known by."""

    name: StepName
    run: Callable[[Hit, Facts], None]


def client_step(parser: ClientParser) -> Step:
    """Browser, system and device from the headers."""

    def run(hit: Hit, facts: Facts) -> None:
        facts.client = parser.parse(hit.kind, hit.headers)

    return Step(StepName.CLIENT, run)


class Enricher:
    """Runs the steps over hits."""

    def __init__(self, steps: Sequence[Step], counts: Counts) -> None:
        self._steps = steps
        self._counts = counts
        self._failures = 0

    def enrich(self, hit: Hit) -> Facts:
        """What the steps say of `hit`. Never raises: an event without its browser is worth more than none."""
        facts = Facts()
        for step in self._steps:
            try:
                step.run(hit, facts)
            except Exception as error:  # noqa: BLE001 - whatever a step's library raises on a reader's input
                facts.unenriched += (step.name.value,)
                self._report(step, hit, error)
        return facts

    def _report(self, step: Step, hit: Hit, error: Exception) -> None:
        self._counts.add(Count.UNENRICHED)
        self._failures += 1
        if self._failures <= _FAILURES_LOGGED:
            log.error("event %s is stored without its %s: the step failed", hit.event_id, step.name, exc_info=error)
