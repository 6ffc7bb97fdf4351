"""What the routes work with, made once at the composition root."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Depends, Request

from waypost.config import Settings
from waypost.control.limits import Limits
from waypost.control.oauth.sessions import Sessions
from waypost.control.oauth.signing import SigningKeys
from waypost.control.sends.acceptance import Acceptance
from waypost.control.sources import Sources
from waypost.db import ControlKey, Database
from waypost.fleet.courier import Receipt
from waypost.links.keyring import Keyring
from waypost.store.analysis import Analysis
from waypost.store.export import Export
from waypost.store.rows import ChosenEvents, Event, EventKey


class EventReader(Protocol):
    """What the API reads from the event store; `waypost.store.EventStore` is one."""

    def send_events(self, account: int, send_id: UUID) -> list[Event]:
        """Every event of a send of this account, in the order they occurred."""

    def chosen_events(self, wanted: Collection[EventKey]) -> ChosenEvents:
        """Events of many sends at once."""

    @property
    def analysis(self) -> Analysis:
        """Counts."""

    @property
    def export(self) -> Export:
        """Events by the thousand."""


class PublishedSnapshot(Protocol):
    """What edges are told; `waypost.control.publishing.service.Publisher` is one."""

    @property
    def data(self) -> bytes:
        """The snapshot's text form; empty before the first."""


class SegmentIntake(Protocol):
    """Where segments of edges elsewhere go; `waypost.pipeline.intake.Intake` is one."""

    async def offer(self, segment_id: str, data: bytes) -> Receipt:
        """Store a segment, then say what became of it."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What edges on machines of their own need."""

    published: PublishedSnapshot
    intake: SegmentIntake


ClientOf = Callable[[str, Mapping[bytes, bytes]], str]
"""Who a request comes from, given the address of the connection and the request's headers."""


def connected(address: str, _headers: Mapping[bytes, bytes]) -> str:
    """A client is who is connected: right without a TLS front."""
    return address


@dataclass(frozen=True, slots=True)
class SendingParts:
    """The parts that messages are taken in with: all of it may be there many times, over one control database."""

    database: Database
    signing_keys: SigningKeys
    sessions: Sessions
    acceptance: Acceptance
    sources: Sources


@dataclass(frozen=True, slots=True)
class Control(SendingParts):
    """The parts behind the API, of which there is one."""

    settings: Settings
    store: EventReader
    keyring: Callable[[], Keyring]
    """The newest one."""
    control_key: ControlKey
    """Seals what must be kept secret."""
    limits: Limits
    client_of: ClientOf
    fleet: Fleet | None = None
    """None: this API serves no edges."""
    metrics: Callable[[], bytes] = bytes
    """In Prometheus' text format; blocks."""


def sending_parts_of(request: Request) -> SendingParts:
    """The parts that a message which comes with this request is taken in with."""
    parts: SendingParts = request.app.state.control
    return parts


async def _sending(request: Request) -> SendingParts:
    return sending_parts_of(request)


async def _control(request: Request) -> Control:
    control: Control = request.app.state.control
    return control


SenderParts = Annotated[SendingParts, Depends(_sending)]
ControlParts = Annotated[Control, Depends(_control)]


async def _client_address(request: Request, control: ControlParts) -> str:
    headers: dict[bytes, bytes] = {}
    for name, value in request.headers.raw:  # names are in lower case
        headers[name] = headers[name] + b"," + value if name in headers else value
    return control.client_of(request.client.host if request.client else "", headers)


ClientAddress = Annotated[str, Depends(_client_address)]
"""The IP address a request comes from."""
