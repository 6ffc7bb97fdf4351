"""Erasure of sends: their events lose who it was, their slim records go.

The id of a send is a part of the primary key, which no engine of ours changes in place: an anonymous copy of each event
is inserted, then the event is deleted. Between the two it is there twice, for moments; killed in between, the round is
done again, and copies that are there are not made again. docs/adr/0018 has the reasons.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from clickhouse_connect.driver.client import Client as Engine
from msgspec import Struct

from waypost.store.ask import Rows, ask
from waypost.store.columns import NO_SEND
from waypost.store.failures import failures

# What counts need. A column that is not listed is empty in the copy, those of later migrations too.
_KEPT: Final = (
    "event_id, event, outcome, occurred_at, received_at, stored_at, account, profile, link_index, link_domain, edge, "
    "segment, record, browser, os, device_type, image_proxy, country, verdict, verdict_score, verdict_reasons, "
    "verdict_rules"
)
# `decodeURLComponent`: an address in a destination is written with %40 as often as with @.
_DESTINATION: Final = """
    multiIf(
        position(lowerUTF8(decodeURLComponent(destination)), {address:String}) = 0, destination,
        position(lowerUTF8(decodeURLComponent(cutQueryStringAndFragment(destination))), {address:String}) = 0,
        cutQueryStringAndFragment(destination),
        ''
    )
"""
# Of a hit, whatever it had: what was worked out from it is not worked out again.
_CLEARED: Final = "if(outcome = '', [], ['client_address', 'user_agent'])"
_MINE: Final = """
    account IN (SELECT account FROM {database}.erasing)
    AND toUInt128(send_id) IN (SELECT toUInt128(send_id) FROM {database}.erasing)
"""
_QUIETLY: Final = {"log_queries": 0}
"""No server keeps the text of a query that names her."""


class Erased(Struct, frozen=True):
    """What was done."""

    events: int
    sends: int


class StoredErasing:
    """For the thread that inserts."""

    def __init__(self, engine: Engine) -> None:
        """Do nothing yet."""
        self._engine = engine

    def sends_to(self, address: str, account: int | None) -> list[tuple[int, UUID]]:
        """Account and id of every send to an address, whatever the case of its letters."""
        sql = """
            SELECT DISTINCT account, send_id FROM sends
            WHERE lowerUTF8(recipient_email_address) = {address:String} AND {account:UInt64} IN (0, account)
        """
        return [(row[0], row[1]) for row in self._query(sql, address=address.lower(), account=account or 0)]

    def erase(self, sends: Sequence[tuple[int, UUID]], address: str) -> Erased:
        """Make the events of these sends anonymous, and delete their slim records. Repeating it is harmless."""
        if not sends:
            return Erased(0, 0)
        with failures("erase sends"):
            database = self._engine.command("SELECT currentDatabase()")
            mine = _MINE.replace("{database}", str(database))
            self._engine.command("TRUNCATE TABLE erasing")
            self._engine.insert("erasing", [list(each) for each in sends], column_names=["account", "send_id"])
            [[events]] = self._query(f"SELECT count() FROM events WHERE {mine}")  # noqa: S608 -- of constants
            [[slim]] = self._query(f"SELECT uniqExact(send_id) FROM sends WHERE {mine}")  # noqa: S608 -- as above
            self._engine.command(
                f"""
                INSERT INTO events ({_KEPT}, send_id, destination, verdict_final, cleared)
                SELECT {_KEPT}, toUUID('{NO_SEND}'), {_DESTINATION}, 1, {_CLEARED} FROM events
                WHERE {mine} AND event_id NOT IN (
                    SELECT event_id FROM events
                    WHERE account IN (SELECT account FROM {database}.erasing) AND send_id = toUUID('{NO_SEND}')
                      AND event_id IN (SELECT event_id FROM events WHERE {mine})
                )
                """,  # noqa: S608 -- put together from this module's constants
                parameters={"address": address.lower()},
                settings=_QUIETLY,
            )
            for table in ("events", "sends"):
                # In one step for each part, and only for parts that hold a row of hers.
                self._engine.command(f"ALTER TABLE {table} DELETE WHERE {mine}", settings={"mutations_sync": 2})
            self._engine.command("TRUNCATE TABLE erasing")
        return Erased(events, slim)

    def is_purged(self, erased_at: datetime) -> bool:
        """Whether the files that held what was erased by then are gone: a server keeps them for some minutes."""
        sql = """
            SELECT count() FROM system.parts
            WHERE database = currentDatabase() AND table IN ('events', 'sends') AND NOT active
              AND remove_time <= {erased_at:DateTime} + 1
        """
        return not self._query(sql, erased_at=erased_at)[0][0]

    def _query(self, sql: str, **parameters: object) -> Rows:
        return ask(self._engine, "erasure", sql, parameters, _QUIETLY)
