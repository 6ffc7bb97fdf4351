"""What control and mail wrote down for the event store, moved there exactly once.

The fact and its outbox row were committed together; the row goes only after the store has the fact. A crash in between
hands the fact over again, and its id tells that it is the same one.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, Generic, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import delete, select

from waypost.db.engine import Database
from waypost.db.outbox import SendEvent, SendRecord, fact_of
from waypost.db.tables import Outbox
from waypost.events.name import EventName
from waypost.pipeline.counts import Count, Counts
from waypost.pipeline.refusal import insert_all
from waypost.store import EventStore, SendEventRow, SendRow, SentLink

log = logging.getLogger(__name__)

# Ids travel in the URL of a server's query, which ends at a megabyte: 1,000 take 80 KB.
_BATCH_ROWS: Final = 1000

Fact = TypeVar("Fact", SendRow, SendEventRow)


class _Noted(msgspec.Struct, Generic[Fact], frozen=True):
    """A fact, and the outbox row it came from."""

    outbox_id: int
    fact: Fact


class OutboxDrain:
    """Empties the outbox into the store. For one thread."""

    def __init__(
        self,
        database: Database,
        store: EventStore,
        counts: Counts,
        *,
        now: Callable[[], datetime],
        erased: Callable[[UUID | None], bool] = lambda _: False,
        tell: Callable[[Iterable[SendEventRow]], None] = lambda _: None,
    ) -> None:
        """Do nothing yet.

        Args:
            database: the control database.
            store: where facts go.
            counts: raised as things happen.
            now: aware, UTC.
            erased: which sends are to leave no trace.
            tell: told of what is stored, maybe twice.
        """
        self._erased = erased
        self._database = database
        self._store = store
        self._counts = counts
        self._now = now
        self._tell = tell
        self._unreadable: set[int] = set()

    def drain(self) -> int:
        """Move one batch, oldest first; returns how many rows are gone from the outbox.

        Raises:
            StoreFailed: nothing is gone.
            SQLAlchemyError: the control database failed; what was moved is found moved next time.
        """
        oldest = (
            select(Outbox)
            .where(Outbox.outbox_id.not_in(self._unreadable))
            .order_by(Outbox.outbox_id)
            .limit(_BATCH_ROWS)
            # PostgreSQL: no second pipeline moves these rows meanwhile. SQLite has one pipeline and ignores it.
            .with_for_update(skip_locked=True)
        )
        with self._database.reading() as session:
            rows = session.scalars(oldest).all()
            moved = self._move(rows) if rows else []
        if moved:
            with self._database.writing() as session:
                session.execute(delete(Outbox).where(Outbox.outbox_id.in_(moved)))
        return len(moved)

    def _move(self, rows: Sequence[Outbox]) -> list[int]:
        """Store what `rows` say; returns the ids of those that may go."""
        sends: list[_Noted[SendRow]] = []
        events: list[_Noted[SendEventRow]] = []
        received_at = self._now()
        for row in rows:
            try:
                fact = fact_of(row.topic, row.payload)
            except msgspec.ValidationError as error:
                self._keep(row.outbox_id, str(error))
                continue
            if self._erased(fact.send_id):
                continue
            match fact:
                case SendRecord():
                    sends.append(_Noted(row.outbox_id, _send(fact)))
                case SendEvent():
                    events.append(_Noted(row.outbox_id, _send_event(fact, received_at)))
        # Sends first: an event that can be read finds its send.
        for noted in insert_all(self._insert_sends, sends) + insert_all(self._insert_events, events):
            self._keep(noted.outbox_id, "the store cannot hold it")
        self._tell(each.fact for each in events if each.outbox_id not in self._unreadable)
        return [row.outbox_id for row in rows if row.outbox_id not in self._unreadable]

    def _insert_sends(self, noted: Sequence[_Noted[SendRow]]) -> None:
        self._store.insert_sends([each.fact for each in noted])
        self._counts.add(Count.SENDS, len(noted))

    def _insert_events(self, noted: Sequence[_Noted[SendEventRow]]) -> None:
        self._counts.add(Count.SEND_EVENTS, self._store.insert_send_events([each.fact for each in noted]))

    def _keep(self, outbox_id: int, reason: str) -> None:
        """Leave a row where it is, for someone to look at; the others pass by."""
        self._unreadable.add(outbox_id)
        self._counts.add(Count.UNREADABLE_FACTS)
        log.error("outbox row %d stays where it is: %s", outbox_id, reason)


def _send(record: SendRecord) -> SendRow:
    return SendRow(
        send_id=record.send_id,
        send_key=record.send_key,
        account=record.account,
        profile=record.profile,
        sending_profile_id=record.sending_profile_id,
        recipient_email_address=record.recipient_email_address,
        tags=tuple(record.tags),
        links=tuple(SentLink(link.index, link.name, link.part) for link in record.links),
        accepted_at=record.created_at,
    )


def _send_event(event: SendEvent, received_at: datetime) -> SendEventRow:
    return SendEventRow(
        event_id=event.event_id,
        event=EventName(event.event.value),
        occurred_at=event.occurred_at,
        received_at=received_at,
        account=event.account,
        profile=event.profile,
        send_id=event.send_id,
        detail=event.detail,
    )
