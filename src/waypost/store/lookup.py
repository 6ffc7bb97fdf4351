"""For an operator who looks: what was sent to an address, and what was stored last, over all accounts or one."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from waypost.store import queries, queries_analysis
from waypost.store.columns import event_of, send_of
from waypost.store.reading import Reader
from waypost.store.rows import Event, SendRow
from waypost.store.sends import sends_of

LATE_MAX: Final = timedelta(days=3)
"""What is older when it is stored is not shown as new: without such a limit each look would search the whole store."""

_ACCOUNT: Final = "({account:UInt64} = 0 OR account = {account:UInt64})"
_SENT_TO: Final = f"""
SELECT {queries.SEND_COLUMNS}
FROM sends
WHERE {_ACCOUNT} AND lower(recipient_email_address) = lower({{address:String}})
ORDER BY accepted_at DESC, toUInt128(send_id) DESC
LIMIT 1 BY account, send_id
LIMIT {{limit:UInt32}}
"""  # noqa: S608 -- put together from constants
_CLICKED: Final = f"""
SELECT send_id, count(), countIf({queries_analysis.HUMAN}), countIf({queries_analysis.MACHINE}),
       argMin((occurred_at, verdict, country, city, browser, os), (NOT {queries_analysis.HUMAN}, occurred_at))
FROM events
WHERE account IN {{accounts:Array(UInt64)}} AND toUInt128(send_id) IN {{sends:Array(UInt128)}}
  AND {queries_analysis.HITS} AND event = 'click'
GROUP BY send_id
"""  # noqa: S608 -- as above


def _newest(order: str) -> str:
    return f"""
SELECT {queries.EVENT_COLUMNS}
FROM events
WHERE {_ACCOUNT} AND occurred_at >= {{since:DateTime64(6, 'UTC')}}
  AND (stored_at, toUInt128(event_id)) > ({{after:DateTime64(6, 'UTC')}}, {{after_id:UInt128}})
ORDER BY stored_at {order}, toUInt128(event_id) {order}
LIMIT {{limit:UInt32}}
"""  # noqa: S608 -- as above


class FirstClick(Struct, frozen=True):
    """The first one by a person, or of all when there is none by a person. Empty is unknown."""

    at: datetime
    verdict: str
    country: str
    city: str
    browser: str
    os: str


class SentTo(Struct, frozen=True):
    """A send, and whether its links were followed."""

    send: SendRow
    clicks: int = 0
    human: int = 0
    machine: int = 0
    first: FirstClick | None = None


class Seen(Struct, frozen=True):
    """An event, and who the send went to; None when that is not known."""

    event: Event
    send: SendRow | None


class Lookup:
    """For the core, on behalf of the command line."""

    def __init__(self, reader: Reader) -> None:
        """Do nothing yet."""
        self._reader = reader

    def sent_to(self, address: str, account: int | None, limit: int) -> list[SentTo]:
        """Sends to an address, capital or small letters alike, newest first."""
        rows = self._reader.query("sends to an address", _SENT_TO, address=address, account=account or 0, limit=limit)
        sends = [send_of(row) for row in rows]
        asked = {"accounts": sorted({send.account for send in sends}), "sends": [send.send_id.int for send in sends]}
        clicked = {}
        if sends:
            for send_id, clicks, human, machine, first in self._reader.query("clicks of sends", _CLICKED, **asked):
                clicked[send_id] = clicks, human, machine, FirstClick(*first)
        return [SentTo(send, *clicked.get(send.send_id, ())) for send in sends]

    def newest(self, account: int | None, limit: int, now: datetime) -> list[Seen]:
        """The events that were stored last, the newest last."""
        return self._seen("DESC", account, limit, now, after=(now - LATE_MAX, UUID(int=0)))[::-1]

    def since(self, account: int | None, limit: int, now: datetime, after: tuple[datetime, UUID]) -> list[Seen]:
        """Events that were stored after one, by its `stored_at` and `event_id`, the newest last."""
        return self._seen("ASC", account, limit, now, after)

    def _seen(
        self, order: str, account: int | None, limit: int, now: datetime, after: tuple[datetime, UUID]
    ) -> list[Seen]:
        rows = self._reader.query(
            "newest events",
            _newest(order),
            account=account or 0,
            since=now - LATE_MAX,
            after=after[0],
            after_id=after[1].int,
            limit=limit,
        )
        sends = sends_of(self._reader, {(row[6], row[8]) for row in rows})
        return [Seen(event_of(row, send := sends.get((row[6], row[8]))), send) for row in rows]
