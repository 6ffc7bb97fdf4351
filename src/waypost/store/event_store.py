"""The event store's one interface. Synchronous and safe to call from any thread."""

import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self
from uuid import UUID

from waypost.events.name import EventName
from waypost.store import queries
from waypost.store.analysis import Analysis
from waypost.store.ask import Rows, ask
from waypost.store.columns import (
    SEND_COLUMNS,
    SEND_EVENT_COLUMNS,
    Column,
    Row,
    event_of,
    transpose,
)
from waypost.store.connection import Connection, connect
from waypost.store.erasing import StoredErasing
from waypost.store.export import Export
from waypost.store.failures import failures
from waypost.store.history import History
from waypost.store.hit_table import hit_table
from waypost.store.lookup import Lookup
from waypost.store.migrate import migrate, shipped
from waypost.store.reading import Glance, Reader
from waypost.store.retention import StoredRetention
from waypost.store.rows import ChosenEvents, Event, EventKey, HitRow, SegmentSpan, SendEventRow, SendRow
from waypost.store.sends import sends_of
from waypost.store.verdicts import StoredVerdicts


class EventStore:
    """Events and the slim record of the sends they belong to.

    Every insert may be repeated after a failure or a crash: what is stored already is stored once. Returning from one
    means synced to disk.
    """

    def __init__(self, connection: Connection) -> None:
        """Use `open`."""
        self._connection = connection
        self.verdicts = StoredVerdicts(connection.writer)
        """Of stored hits; for the pipeline."""
        # Asking what is stored and inserting the rest must not interleave with another thread's.
        self._writing = threading.Lock()
        self.history = History(connection.writer)
        self.erasing = StoredErasing(connection.writer)
        self.retention = StoredRetention(connection.writer)
        self._reader = Reader(connection.reader)
        self._glance = Glance(connection.glance)
        self.analysis = Analysis(self._reader, self._glance)
        """Counts; for the API."""
        self.export = Export(self._reader)
        """Events by the thousand; for the API."""
        self.lookup = Lookup(self._reader)
        """For the command line."""

    @classmethod
    def open(cls, url: str, data: Path) -> Self:
        """Open the store and bring its schema up to date.

        Args:
            url: `settings.store.url`; empty for chDB in `data / "store"`.
            data: the data directory.

        Raises:
            StoreError: it cannot be used; the message says what to do.
            OSError: the data directory cannot be written.
        """
        with failures("open"):
            connection = connect(url, data)
            try:
                migrate(connection.writer, shipped())
            except BaseException:
                connection.close()
                raise
        return cls(connection)

    def close(self) -> None:
        """Give the store up; repeated calls do nothing."""
        self._glance.close()
        self._connection.close()

    def stored_records(self, spans: Sequence[SegmentSpan]) -> dict[str, set[int]]:
        """Which records of which segments are stored: record numbers by segment, every asked segment present."""
        stored: dict[str, set[int]] = {span.segment: set() for span in spans}
        if spans:
            rows = self._look_up(
                "stored records",
                queries.STORED_RECORDS,
                accounts=sorted(frozenset[int]().union(*(span.accounts for span in spans))),
                first_at=min(span.first_at for span in spans),
                last_at=max(span.last_at for span in spans),
                segments=list(stored),
            )
            for segment, records in rows:
                stored[segment].update(records)
        return stored

    def insert_hits(self, rows: Sequence[HitRow]) -> None:
        """Store hits that `stored_records` did not name.

        Raises:
            StoreRefused: a row that cannot be held; none of them was stored.
        """
        if rows:
            with self._writing, failures("insert into events"):
                self._connection.writer.insert_arrow("events", hit_table(rows))

    def insert_sends(self, rows: Sequence[SendRow]) -> None:
        """Store sends; one that is there already is replaced by the same."""
        with self._writing:
            self._insert("sends", SEND_COLUMNS, rows)

    def insert_send_events(self, rows: Sequence[SendEventRow]) -> int:
        """Store the send events that are not there yet, and say how many those were."""
        with self._writing:
            stored = self._stored_event_ids(rows)
            missing = list({row.event_id: row for row in rows if row.event_id not in stored}.values())
            self._insert("events", SEND_EVENT_COLUMNS, missing)
        return len(missing)

    def send(self, account: int, send_id: UUID) -> SendRow | None:
        """The slim record of a send of this account."""
        return sends_of(self._reader, [(account, send_id)]).get((account, send_id))

    def send_events(self, account: int, send_id: UUID) -> list[Event]:
        """Every event of a send of this account, states, opens and clicks alike, in the order they occurred."""
        send = self.send(account, send_id)
        rows = self._query("events of a send", queries.SEND_EVENTS, account=account, send=send_id.int)
        return [event_of(row, send) for row in rows]

    def chosen_events(self, wanted: Collection[EventKey]) -> ChosenEvents:
        """Events of many sends at once, those that are there; what else a send has is not read."""
        of_sends = {
            "accounts": sorted({key.account for key in wanted}),
            "sends": sorted({key.send_id.int for key in wanted}),
        }
        sends = sends_of(self._reader, {(key.account, key.send_id) for key in wanted})
        ids = [key.event_id for key in wanted]
        rows = self._query("events of sends", queries.EVENTS, **of_sends, event_ids=ids)
        found = [event_of(row, sends.get((row[6], row[8]))) for row in rows if (row[6], row[8], row[0]) in wanted]
        first_of_link: set[UUID] = set()
        first_of_send: dict[tuple[int, UUID, str], UUID] = {}
        for account, send_id, event, event_id in self._query("first events", queries.FIRST_HITS, **of_sends):
            first_of_send.setdefault((account, send_id, event), event_id)
            if event == EventName.CLICK:
                first_of_link.add(event_id)
        return ChosenEvents(found, frozenset(first_of_send.values()), frozenset(first_of_link))

    def _stored_event_ids(self, rows: Sequence[SendEventRow]) -> set[UUID]:
        if not rows:
            return set()
        found = self._look_up(
            "stored send events",
            queries.STORED_SEND_EVENTS,
            sends=sorted({(row.account, row.send_id) for row in rows}),
            event_ids=[row.event_id for row in rows],
        )
        return {event_id for (event_id,) in found}

    def _insert(self, table: str, columns: Sequence[Column[Row]], rows: Sequence[Row]) -> None:
        if not rows:
            return
        names = [column.name for column in columns]
        with failures(f"insert into {table}"):
            self._connection.writer.insert(table, transpose(columns, rows), column_names=names, column_oriented=True)

    def _look_up(self, operation: str, sql: str, **parameters: object) -> Rows:
        """Ask for the pipeline: on the writing connection, which no analysis keeps busy."""
        return ask(self._connection.writer, operation, sql, parameters)

    def _query(self, operation: str, sql: str, **parameters: object) -> Rows:
        """Ask for the API."""
        return self._reader.query(operation, sql, **parameters)
