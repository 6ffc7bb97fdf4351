"""The nouns of the event store: what goes in, and what comes out.

Structs rather than dataclasses: tens of thousands are built a second, and a frozen dataclass costs ten times as much.
`gc=False` where many live at once: they hold no cycles, and the collector would walk all of them again and again.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct

from waypost.events.client import Client
from waypost.events.hit import Hit, Outcome
from waypost.events.location import Location
from waypost.events.name import EventName
from waypost.events.verdict import Verdict


class HitRow(Struct, frozen=True, kw_only=True, gc=False):
    """A hit on its way in, with what the pipeline found out about it."""

    hit: Hit
    client: Client
    location: Location
    segment: str
    record: int
    """Number of the record in its segment, from 0; with `segment` it makes the row unique."""
    received_at: datetime
    """When the collector read it."""
    verdict: Verdict
    """Provisional: from what was read with it."""
    unenriched: tuple[str, ...] = ()
    """Names of the enrichment steps that failed for it; they can be run again over history."""
    cleared: tuple[str, ...] = ()
    """Columns that had something, which is not kept: what was worked out from it is not worked out again."""


class SendEventRow(Struct, frozen=True, kw_only=True):
    """A send reached a state. `event_id` makes the row unique."""

    event_id: UUID
    event: EventName
    occurred_at: datetime
    received_at: datetime
    account: int
    profile: int
    send_id: UUID
    detail: str = ""
    """The relay's words, or the reason; empty when there is nothing to add."""


class SentLink(Struct, frozen=True):
    """A tracked link of a send, one per index."""

    index: int
    name: str
    part: str
    """`html`, or `outlook` when it stands in an Outlook conditional comment only."""


class SendRow(Struct, frozen=True, kw_only=True):
    """The slim record that says *who* for as long as there are events of the send. `send_id` makes it unique."""

    send_id: UUID
    send_key: str
    account: int
    profile: int
    sending_profile_id: UUID
    recipient_email_address: str
    tags: tuple[str, ...]
    links: tuple[SentLink, ...]
    accepted_at: datetime


class SegmentSpan(Struct, frozen=True):
    """Where in the store the rows of a segment can be: all of them lie within these bounds."""

    segment: str
    accounts: frozenset[int]
    first_at: datetime
    """Earliest `occurred_at` of its records."""
    last_at: datetime
    """Latest, included."""


class EventLink(Struct, frozen=True):
    """The link a click followed."""

    index: int
    name: str
    """Empty when the message gave it none, or when the send record is not there."""
    url: str
    part: str


class Event(Struct, frozen=True, kw_only=True):
    """One stored event. Times are aware, UTC, to the microsecond."""

    event_id: UUID
    event: EventName
    outcome: Outcome | None
    """How a hit was answered; absent for the states of a send."""
    occurred_at: datetime
    received_at: datetime
    stored_at: datetime
    account: int
    profile: int
    send_id: UUID | None
    """Absent in anonymous mode."""
    link: EventLink | None
    """Of a click."""
    link_domain: str
    edge: str
    client_address: str
    """After the IP policy; empty when the policy is none."""
    user_agent: str
    client: Client
    """All unknown for the states of a send."""
    location: Location
    """Likewise."""
    verdict: Verdict | None
    """Who was behind it; absent for the states of a send."""
    detail: str


class EventKey(NamedTuple):
    """Which event, of a send."""

    account: int
    send_id: UUID
    event_id: UUID


class ChosenEvents(Struct, frozen=True):
    """Some events, in no order, and which clicks and opens are the first ones of their sends: others than these too."""

    events: list[Event]
    first_of_send: frozenset[UUID]
    """The first click and the first open of each."""
    first_of_link: frozenset[UUID]
    """The first click on each link."""


class PeriodCount(Struct, frozen=True):
    """How often something happened in a period and in the one before it."""

    current: int
    previous: int

    @property
    def delta(self) -> int:
        """Current less previous."""
        return self.current - self.previous


class Measure(StrEnum):
    """What is counted of clicks and opens, in the order of `store.queries_analysis`."""

    TOTAL = "total"
    HUMAN = "human"
    MACHINE = "machine"
    UNKNOWN = "unknown"
    UNIQUE_SEND = "unique_send"
    UNIQUE_SEND_HUMAN = "unique_send_human"
    UNIQUE_SEND_MACHINE = "unique_send_machine"
    UNIQUE_LINK = "unique_link"
    UNIQUE_LINK_HUMAN = "unique_link_human"
    UNIQUE_LINK_MACHINE = "unique_link_machine"


Measures = Mapping[Measure, PeriodCount]


class Clicks(Struct, frozen=True):
    """Of one send. Those answered to HEAD or a prefetch are not counted."""

    total: int
    human: int
    machine: int
    """What is neither is unknown."""
    first_at: datetime
    """Of all of them."""
    first_human_at: datetime | None
    """Of those by a person."""


class Summary(Struct, frozen=True):
    """Counts of an account's events: every name is present, zero or not.

    Clicks and opens answered to HEAD or a prefetch are not counted.
    """

    from_: datetime
    """Included."""
    to: datetime
    """Excluded. The previous period is as long and ends at `from_`."""
    counts: dict[EventName, PeriodCount]
    measures: Mapping[EventName, Measures]
    """Of clicks and opens: the total by who was behind it, and how many different ones."""
