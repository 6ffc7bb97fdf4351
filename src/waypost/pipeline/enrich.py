"""What a hit says beyond its fields: a list of named steps, each of which may fail without costing the event."""

import logging
from collections.abc import Callable, Hashable, Sequence
from enum import StrEnum
from operator import attrgetter
from typing import Final

from msgspec import Struct

from waypost.events.client import UNKNOWN as UNKNOWN_CLIENT
from waypost.events.client import Client
from waypost.events.client_parser import ClientParser
from waypost.events.hit import Hit, HitKind
from waypost.events.location import UNKNOWN as UNKNOWN_LOCATION
from waypost.events.location import Location
from waypost.geoip.locator import Locator
from waypost.pipeline.counts import Count, Counts

log = logging.getLogger(__name__)

# A step that fails for every hit would fill the disk with its log.
_FAILURES_LOGGED: Final = 10


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
    """One enrichment, and the name it is known by, which is that of its field in `Facts`, too."""

    name: StepName
    key: Callable[[Hit], Hashable]
    """What hits of one batch agree in that share what the step finds."""
    find: Callable[[Hit], Client | Location | None]
    """None: there is nothing to find it with yet."""


def client_step(parser: ClientParser) -> Step:
    """Browser, system and device from the headers."""
    return Step(
        StepName.CLIENT,
        key=lambda hit: (id(hit.headers), hit.kind is HitKind.OPEN),
        find=lambda hit: parser.parse(hit.kind, hit.headers),
    )


def location_step(locator: Locator) -> Step:
    """Place and network from the address. Without a database it is still to be done, which is no failure."""

    def find(hit: Hit) -> Location | None:
        if not hit.client_address:
            return UNKNOWN_LOCATION
        return locator.locate(hit.client_address) if locator.is_ready else None

    return Step(StepName.LOCATION, key=attrgetter("client_address"), find=find)


class Enricher:
    """Runs the steps over hits."""

    def __init__(self, steps: Sequence[Step], counts: Counts) -> None:
        self._steps = steps
        self._counts = counts
        self._failures = 0

    def enrich(self, hits: Sequence[Hit]) -> list[Facts]:
        """What the steps say of each hit. Never raises: an event without its browser is worth more than none.

        A step is asked once for all hits that it finds the same for: of 20,000, a third have an address of their own,
        and fewer their headers.
        """
        facts = [Facts() for _ in hits]
        for step in self._steps:
            keys = list(map(step.key, hits))
            found: dict[Hashable, Client | Location | None] = {}
            failed: set[Hashable] = set()
            for key, hit in dict(zip(keys, hits, strict=True)).items():
                try:
                    found[key] = _tried_again(step, hit)
                except Exception as error:  # noqa: BLE001 - whatever a step's library raises on a reader's input
                    found[key] = None
                    failed.add(key)
                    self._report(step, hit, error)
            name = step.name.value
            for each, answer in zip(facts, map(found.__getitem__, keys), strict=True):
                if answer is None:
                    each.unenriched += (name,)
                else:
                    setattr(each, name, answer)
            if failed:
                self._counts.add(Count.UNENRICHED, sum(key in failed for key in keys))
        return facts

    def _report(self, step: Step, hit: Hit, error: Exception) -> None:
        self._failures += 1
        if self._failures <= _FAILURES_LOGGED:
            log.error("event %s is stored without its %s: the step failed", hit.event_id, step.name, exc_info=error)


def _tried_again(step: Step, hit: Hit) -> Client | Location | None:
    """What fails by a reader's input fails again at once; what fails by chance does not."""
    try:
        return step.find(hit)
    except Exception:  # noqa: BLE001 - as above; that of the second time counts
        return step.find(hit)
