"""The nouns of the simulation."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from waypost.events.client_parser import ClientParser
from waypost.events.hit import HitKind, Outcome
from waypost.events.verdict import Evidence, SendFacts
from waypost.testing.browsers import Headers
from waypost.testing.draw import Draw, Place


class Visit(Struct, frozen=True):
    """One request for a link or an open pixel, and the truth about it."""

    at: float
    """Seconds after delivery."""
    place: Place
    headers: Headers
    person: bool
    link: int | None = 0
    """Index; None: the pixel."""
    outcome: Outcome = Outcome.ANSWERED


class SimulatedSend(Struct, frozen=True):
    """A message to one recipient and everything that happened to it."""

    scenario: str
    send_id: UUID
    delivered_at: datetime
    links: tuple[str, ...]
    visits: tuple[Visit, ...]

    @property
    def facts(self) -> SendFacts:
        """What Waypost knows of it."""
        return SendFacts(self.delivered_at, len(self.links))

    def evidence(self, parser: ClientParser) -> list[Evidence]:
        """What Waypost knows of the visits, in their order."""
        return [self._evidence(position, visit, parser) for position, visit in enumerate(self.visits)]

    def _evidence(self, position: int, visit: Visit, parser: ClientParser) -> Evidence:
        kind = HitKind.OPEN if visit.link is None else HitKind.CLICK
        return Evidence(
            event_id=UUID(int=self.send_id.int + position + 1),
            kind=kind,
            outcome=visit.outcome,
            occurred_at=self.delivered_at + timedelta(seconds=visit.at),
            link_index=visit.link or 0,
            destination="" if visit.link is None else self.links[visit.link],
            client_address=visit.place.address,
            headers=visit.headers,
            client=parser.parse(kind, visit.headers),
            as_organisation=visit.place.organisation,
        )


def message(draw: Draw, *, least: int = 1) -> tuple[str, ...]:
    """The tracked links of a message: a receipt has one or two, a newsletter up to twenty; most let unsubscribe."""
    count = max(least, min(20, round(draw.about(5, 0.7))))
    content = [f"https://shop.example/articles/{number}" for number in range(count)]
    return (*content, "https://shop.example/unsubscribe?u=17") if draw.chance(0.8) else tuple(content)


def content_of(links: Sequence[str]) -> int:
    """How many of a message's links are not there to unsubscribe: they come first."""
    return sum("unsubscribe" not in link for link in links)
