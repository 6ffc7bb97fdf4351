"""Events by the thousand, in the order they lie in the table: by send, then by time.

A page goes on behind the last row of the one before, so what arrives meanwhile shifts nothing, and each page costs what
it holds. What is exported was stored between two instants, so a later export takes up where this one ended.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from waypost.store import queries
from waypost.store.analysis import Filters, Period
from waypost.store.columns import event_of
from waypost.store.reading import Reader
from waypost.store.rows import Event, SendRow
from waypost.store.sends import sends_of

PAGE_ROWS: Final = 5_000
"""About 10 MB in Python."""
BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOBODY: Final = UUID(int=0)


class Choice(Struct, frozen=True, kw_only=True):
    """Which events of an account."""

    account: int
    period: Period
    """Of when they occurred; there is no previous one here."""
    filters: Filters
    stored_after: datetime = BEGINNING
    stored_until: datetime
    """Included."""

    @property
    def condition(self) -> str:
        """In SQL, with `parameters`."""
        return f"""
            account = {{account:UInt64}}
            AND occurred_at >= {{from:DateTime64(6, 'UTC')}} AND occurred_at < {{to:DateTime64(6, 'UTC')}}
            AND stored_at > {{stored_after:DateTime64(6, 'UTC')}} AND stored_at <= {{stored_until:DateTime64(6, 'UTC')}}
            AND {self.filters.sql}
        """

    @property
    def parameters(self) -> dict[str, Any]:
        """Of `condition`."""
        return {
            "account": self.account,
            **self.period.parameters,
            "stored_after": self.stored_after,
            "stored_until": self.stored_until,
            **self.filters.parameters,
        }


class _Position(Struct, frozen=True):
    """Of a row, in the order of the table."""

    send: int
    occurred_at: datetime
    event_id: UUID


_START: Final = _Position(0, BEGINNING, _NOBODY)


class Export:
    """For the API."""

    def __init__(self, reader: Reader) -> None:
        """Do nothing yet."""
        self._reader = reader

    def count(self, choice: Choice) -> int:
        """How many rows `rows` is going to have."""
        sql = f"SELECT count() FROM events WHERE {choice.condition}"  # noqa: S608 -- put together from constants
        [[count]] = self._reader.query("count for an export", sql, **choice.parameters)
        return int(count)

    def pages(self, choice: Choice) -> Iterator[list[tuple[Event, SendRow | None]]]:
        """Events with their sends, where these are known.

        Raises:
            StoreFailed: on the way, too.
        """
        after = _START
        while page := self._page(choice, after):
            sends = sends_of(self._reader, {(choice.account, row[8]) for row in page})
            yield [(event_of(row, send := sends.get((choice.account, row[8]))), send) for row in page]
            last = page[-1]
            after = _Position(last[8].int, last[3], last[0])

    def _page(self, choice: Choice, after: _Position) -> Sequence[Sequence[Any]]:
        # The first line is what the primary key is searched by.
        sql = f"""
            SELECT {queries.EVENT_COLUMNS}
            FROM events
            WHERE toUInt128(send_id) >= {{after_send:UInt128}} AND {choice.condition}
              AND (toUInt128(send_id) > {{after_send:UInt128}}
                   OR occurred_at > {{after_at:DateTime64(6, 'UTC')}}
                   OR (occurred_at = {{after_at:DateTime64(6, 'UTC')}} AND toUInt128(event_id) > {{after_id:UInt128}}))
            ORDER BY toUInt128(send_id), occurred_at, toUInt128(event_id)
            LIMIT {{limit:UInt32}}
        """  # noqa: S608 -- as above
        return self._reader.query(
            "export",
            sql,
            after_send=after.send,
            after_at=after.occurred_at,
            after_id=after.event_id.int,
            limit=PAGE_ROWS,
            **choice.parameters,
        )
