"""What a hit says beyond its fields: a list of named steps, each of which may fail without costing the event."""

import logging
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from waypost.events.client import UNKNOWN as UNKNOWN_CLIENT
from waypost.events.client import Client
from waypost.events.client_parser import ClientParser
from waypost.events.hit import Hit
from waypost.events.location import UNKNOWN as UNKNOWN_LOCATION
from waypost.events.location import Location
from waypost.geoip.locator import Locator
from waypost.pipeline.counts import Count, Counts

log = logging.getLogger(__name__)

# A step that fails for every hit would fill the disk with its log.
_FAILURES_LOGGED: Final = 10
# What fails by a reader's input fails again at once; what fails by chance does not. Readers' clicks wait behind it.
_ATTEMPTS: Final = 2


class StepName(StrEnum):
    """Stored with every event that the step failed for, so that it can be run again: never rename one."""

    CLIENT = "client"
    LOCATION = "location"


class Facts(Struct, gc=False):
    """What the steps found out. Each step fills its own fields; what it leaves is unknown."""

    client: Client = UNKNOWN_CLIENT
    location: Location = UNKNOWN_LOCATION
    unenriched: tuple[str, ...] = ()
    """Steps that failed, or had nothing to work with."""


class Step(Struct, frozen=True):
    """One enrichment, and the name it is known by."""

    name: StepName
    run: Callable[[Hit, Facts], None]


def client_step(parser: ClientParser) -> Step:
    """Browser, system and device from the headers."""

    def run(hit: Hit, facts: Facts) -> None:
        facts.client = parser.parse(hit.kind, hit.headers)

    return Step(StepName.CLIENT, run)


def location_step(locator: Locator) -> Step:
    """Place and network from the address. Without a database it is still to be done, which is no failure."""

    def run(hit: Hit, facts: Facts) -> None:
        if not hit.client_address:
            return
        if locator.is_ready:
            facts.location = locator.locate(hit.client_address)
        else:
            facts.unenriched += (StepName.LOCATION.value,)

    return Step(StepName.LOCATION, run)


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
            if (error := _failure(step, hit, facts)) is not None:
                facts.unenriched += (step.name.value,)
                self._report(step, hit, error)
        return facts

    def _report(self, step: Step, hit: Hit, error: Exception) -> None:
        self._counts.add(Count.UNENRICHED)
        self._failures += 1
        if self._failures <= _FAILURES_LOGGED:
            log.error("event %s is stored without its %s: the step failed", hit.event_id, step.name, exc_info=error)


def _failure(step: Step, hit: Hit, facts: Facts) -> Exception | None:
    """Run a step, again when it fails; why it failed in the end."""
    failure: Exception | None = None
    for _ in range(_ATTEMPTS):
        try:
            step.run(hit, facts)
        except Exception as error:  # noqa: BLE001 - whatever a step's library raises on a reader's input
            failure = error
        else:
            return None
    return failure
