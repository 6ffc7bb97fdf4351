"""The event store's one interface. Synchronous and safe to call from any thread."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Self
from uuid import UUID

from waypost.store.rows import Event, HitRow, SegmentSpan, SendEventRow, SendRow, Summary


class EventStore:
    """Events and the slim record of the sends they belong to.

    Every insert may be repeated after a failure or a crash: what is stored already is stored once.
    """

    @classmethod
    def open(cls, url: str, data: Path) -> Self:
        """Open the store and bring its schema up to date.

        Args:
            url: `settings.store.url`; empty for chDB in `data / "store"`.
            data: the data directory.

        Raises:
            StoreError: it cannot be used; the message says what to do.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Give the store up; repeated calls do nothing."""
        raise NotImplementedError

    def stored_records(self, spans: Sequence[SegmentSpan]) -> dict[str, set[int]]:
        """Which records of which segments are stored: record numbers by segment, every asked segment present."""
        raise NotImplementedError

    def insert_hits(self, rows: Sequence[HitRow]) -> None:
        """Store hits that `stored_records` did not name; synced to disk on return."""
        raise NotImplementedError

    def insert_sends(self, rows: Sequence[SendRow]) -> None:
        """Store sends; one that is there already is replaced by the same."""
        raise NotImplementedError

    def insert_send_events(self, rows: Sequence[SendEventRow]) -> int:
        """Store the send events that are not there yet, and say how many those were."""
        raise NotImplementedError

    def send(self, account: int, send_id: UUID) -> SendRow | None:
        """The slim record of a send of this account."""
        raise NotImplementedError

    def send_events(self, account: int, send_id: UUID) -> list[Event]:
        """Every event of a send of this account, states, opens and clicks alike, in the order they occurred."""
        raise NotImplementedError

    def summary(self, account: int, from_: datetime, to: datetime) -> Summary:
        """Counts by event name over [from_, to) and over the period of that length before it."""
        raise NotImplementedError
