"""What the routes work with, made once at the composition root."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol
from uuid import UUID

from fastapi import Depends, Request

from waypost.config import Settings
from waypost.control.oauth.signing import SigningKeys
from waypost.control.sources import Sources
from waypost.db import ControlKey, Database
from waypost.fleet.courier import Receipt
from waypost.links.keyring import Keyring
from waypost.store.rows import Event, Summary


class EventReader(Protocol):
    """What the API reads from the event store; `waypost.store.EventStore` is one."""

    def send_events(self, account: int, send_id: UUID) -> list[Event]:
        """Every event of a send of this account, in the order they occurred."""

    def summary(self, account: int, from_: datetime, to: datetime) -> Summary:
        """Counts by event name over [from_, to) and the period of that length before it."""


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


@dataclass(frozen=True, slots=True)
class Control:
    """The parts behind the API."""

    settings: Settings
    database: Database
    store: EventReader
    keyring: Callable[[], Keyring]
    """The newest one."""
    signing_keys: SigningKeys
    control_key: ControlKey
    """Seals what must be kept secret."""
    sources: Sources
    fleet: Fleet | None = None
    """None: this API serves no edges."""


async def _control(request: Request) -> Control:
    control: Control = request.app.state.control
    return control


ControlParts = Annotated[Control, Depends(_control)]
