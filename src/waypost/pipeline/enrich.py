"""What a hit says beyond its fields: named steps, each of which may fail without costing the event."""

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from enum import StrEnum
from typing import Final, Generic, TypeVar

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

Found = TypeVar("Found")

# A step that fails for every hit would fill the disk with its log.
_FAILURES_LOGGED: Final = 10


class StepName(StrEnum):
    """Stored with every event that the step failed for, so that it can be run again: never rename one."""

    CLIENT = "client"
    LOCATION = "location"


class Facts(Struct, frozen=True):
    """What the steps found out about hits, in their order. What a step leaves is unknown."""

    clients: Sequence[Client]
    locations: Sequence[Location]
    unenriched: Sequence[tuple[str, ...]]
    """Steps that failed for each, or had nothing to work with."""


class Step(Struct, Generic[Found], frozen=True):
    """One enrichment."""

    name: StepName
    keys: Callable[[Sequence[Hit]], list[Hashable]]
    """Hits of one batch that have the same share what the step finds."""
    find: Callable[[Sequence[Hit]], Sequence[Found | None]]
    """Of each hit; None: there is nothing to find it with yet. One that it fails for may fail all."""


def client_step(parser: ClientParser) -> Step[Client]:
    """Browser, system and device from the headers."""
    return Step(
        StepName.CLIENT,
        # Twice an id, so that there is a number between: the same headers may mean another client in an open.
        keys=lambda hits: [2 * id(hit.headers) + (hit.kind is HitKind.OPEN) for hit in hits],
        find=lambda hits: [parser.parse(hit.kind, hit.headers) for hit in hits],
    )


def location_step(locator: Locator) -> Step[Location]:
    """Place and network from the address. Without a database it is still to be done, which is no failure."""

    def find(hits: Sequence[Hit]) -> list[Location | None]:
        if locator.is_ready:
            return [*locator.locate_all([hit.client_address for hit in hits])]
        return [None if hit.client_address else UNKNOWN_LOCATION for hit in hits]

    return Step(StepName.LOCATION, keys=lambda hits: [hit.client_address for hit in hits], find=find)


class Enricher:
    """Runs the steps over hits."""

    def __init__(
        self, counts: Counts, *, client: Step[Client] | None = None, location: Step[Location] | None = None
    ) -> None:
        self._client = client
        self._location = location
        self._counts = counts
        self._failures = 0

    def enrich(self, hits: Sequence[Hit]) -> Facts:
        """What the steps say of each hit. Never raises: an event without its browser is worth more than none."""
        unenriched: list[tuple[str, ...]] = [()] * len(hits)
        return Facts(
            self._run(self._client, hits, UNKNOWN_CLIENT, unenriched),
            self._run(self._location, hits, UNKNOWN_LOCATION, unenriched),
            unenriched,
        )

    def _run(
        self, step: Step[Found] | None, hits: Sequence[Hit], unknown: Found, unenriched: list[tuple[str, ...]]
    ) -> list[Found]:
        """Ask a step once for all hits that it finds the same for.

        Of 20,000, a third have an address of their own, and fewer their headers.
        """
        if step is None:
            return [unknown] * len(hits)
        keys = step.keys(hits)
        asked = dict(zip(keys, hits, strict=True))
        failed: set[Hashable] = set()
        answers = self._ask(step, asked, failed)
        found = {key: unknown if answer is None else answer for key, answer in zip(asked, answers, strict=True)}
        left = {key for key, answer in zip(asked, answers, strict=True) if answer is None}
        for place, key in enumerate(keys) if left else ():
            if key in left:
                unenriched[place] += (step.name.value,)
        if failed:
            self._counts.add(Count.UNENRICHED, sum(key in failed for key in keys))
        return [found[key] for key in keys]

    def _ask(self, step: Step[Found], asked: Mapping[Hashable, Hit], failed: set[Hashable]) -> Sequence[Found | None]:
        """What the step finds for each; the keys of those that it fails for are put into `failed`."""
        try:
            return step.find(list(asked.values()))
        except Exception:  # noqa: BLE001 - whatever a step's library raises on a reader's input, which is one of many
            answers: list[Found | None] = []
        for key, hit in asked.items():
            try:
                tried = _tried_again(step, hit)
                answers += tried
            except Exception as error:  # noqa: BLE001 - as above
                answers.append(None)
                failed.add(key)
                self._report(step.name, hit, error)
        return answers

    def _report(self, step: StepName, hit: Hit, error: Exception) -> None:
        self._failures += 1
        if self._failures <= _FAILURES_LOGGED:
            log.error("event %s is stored without its %s: the step failed", hit.event_id, step, exc_info=error)


def _tried_again(step: Step[Found], hit: Hit) -> Sequence[Found | None]:
    """What fails by a reader's input fails again at once; what fails by chance does not."""
    try:
        return step.find([hit])
    except Exception:  # noqa: BLE001 - as above; that of the second time counts
        return step.find([hit])
