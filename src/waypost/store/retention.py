"""What is kept for a number of days: whole events, readers' addresses, their user agents.

One round is one mutation of one month, for all accounts that keep alike and have something in it. Months without
anything to do are not touched, so nothing is rewritten in vain. Nothing remembers what is to be done but the rows
themselves. docs/adr/0018 has the reasons.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from clickhouse_connect.driver.client import Client as Engine
from msgspec import Struct

from waypost.events.ids import uuid7
from waypost.store.ask import Rows, ask
from waypost.store.failures import failures

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Microseconds: a mutation writes its parameters out and reads them again, in no time zone.
_OLD: Final = (
    "account IN {{accounts:Array(UInt64)}} AND occurred_at < fromUnixTimestamp64Micro({{{name}:Int64}}, 'UTC')"
)
# A hit that came late has its verdict first, which rests on what is cleared.
_OLD_EVENTS: Final = _OLD.format(name="events_before")
_OLD_ADDRESSES: Final = f"{_OLD.format(name='addresses_before')} AND verdict_final AND client_address != ''"
_OLD_USER_AGENTS: Final = (
    f"{_OLD.format(name='user_agents_before')} AND verdict_final AND (user_agent != '' OR notEmpty(headers))"
)
# Of a send that is old enough, what was clicked lately. Ids are version 7: those of a time are a range of the key.
_WITH_EVENTS: Final = """
    SELECT account, toUInt128(send_id) FROM events
    WHERE account IN {accounts:Array(UInt64)} AND toUInt128(send_id) BETWEEN 1 AND {sends_before:UInt128}
      AND occurred_at >= fromUnixTimestamp64Micro({events_before:Int64}, 'UTC')
"""
_OLD_SENDS: Final = f"""
    account IN {{accounts:Array(UInt64)}} AND toUInt128(send_id) <= {{sends_before:UInt128}}
    AND (account, toUInt128(send_id)) NOT IN ({_WITH_EVENTS})
"""
_DUE: Final = f"""
SELECT _partition_id, arraySort(groupUniqArray(account)), countIf(events), countIf(addresses AND NOT events),
       countIf(user_agents AND NOT events)
FROM (
    SELECT _partition_id, account, {_OLD_EVENTS} AS events, {_OLD_ADDRESSES} AS addresses,
           {_OLD_USER_AGENTS} AS user_agents
    FROM events WHERE {_OLD.format(name="before")}
)
WHERE events OR addresses OR user_agents
GROUP BY _partition_id ORDER BY _partition_id
"""  # noqa: S608 -- as above
_SENDS_DUE: Final = f"""
SELECT _partition_id, arraySort(groupUniqArray(account)), uniqExact(account, send_id)
FROM sends WHERE {_OLD_SENDS}
GROUP BY _partition_id ORDER BY _partition_id
"""  # noqa: S608 -- as above
_KEPT: Final = """
SELECT DISTINCT send_id FROM events
WHERE account = {account:UInt64} AND toUInt128(send_id) IN {sends:Array(UInt128)}
  AND occurred_at >= fromUnixTimestamp64Micro({events_before:Int64}, 'UTC')
"""
_DELETE: Final = f"DELETE IN PARTITION ID {{partition:String}} WHERE {_OLD_EVENTS}"
_CLEAR_ADDRESSES: Final = f"""
    UPDATE client_address = '', cleared = arrayDistinct(arrayPushBack(cleared, 'client_address'))
    IN PARTITION ID {{partition:String}} WHERE {_OLD_ADDRESSES}
"""
_CLEAR_USER_AGENTS: Final = f"""
    UPDATE user_agent = '', headers = map(), cleared = arrayDistinct(arrayPushBack(cleared, 'user_agent'))
    IN PARTITION ID {{partition:String}} WHERE {_OLD_USER_AGENTS}
"""
# Of this module only: erasure and enrichment have mutations of their own, and say neither.
_OURS: Final = """
    database = currentDatabase() AND (
        table = 'events' AND position(command, 'occurred_at < fromUnixTimestamp64Micro') > 0
        OR table = 'sends' AND position(command, 'NOT IN') > 0
    )
"""
_GOING_ON: Final = f"SELECT latest_fail_reason FROM system.mutations WHERE {_OURS} AND NOT is_done"  # noqa: S608 -- as above


class Keep(Struct, frozen=True):
    """What is kept of some accounts: nothing that happened before these times. `EPOCH`: all of it."""

    accounts: tuple[int, ...]
    events_before: datetime
    addresses_before: datetime
    user_agents_before: datetime
    """With the other headers."""

    @property
    def parameters(self) -> dict[str, object]:
        """Of this module's SQL."""
        times = {
            "events_before": self.events_before,
            "addresses_before": self.addresses_before,
            "user_agents_before": self.user_agents_before,
            "before": max(self.events_before, self.addresses_before, self.user_agents_before),
        }
        return {
            "accounts": list(self.accounts),
            **{name: _microseconds(time) for name, time in times.items()},
            "sends_before": first_send_id(self.events_before).int,
        }


class Due(Struct, frozen=True):
    """A month, the accounts that have something to go in it, and how many rows that concerns."""

    partition: str
    accounts: tuple[int, ...]
    events: int
    addresses: int
    user_agents: int


class SendsDue(Struct, frozen=True):
    """A month of slim records, likewise."""

    partition: str
    accounts: tuple[int, ...]
    sends: int


class Going(Struct, frozen=True):
    """How many rows are due, over all months."""

    events: int
    addresses: int
    user_agents: int
    sends: int


class StoredRetention:
    """For the thread that inserts. One round at a time: `going_on` says when the one before is done."""

    def __init__(self, engine: Engine) -> None:
        """Do nothing yet."""
        self._engine = engine

    def due(self, keep: Keep) -> list[Due]:
        """Months of events with something to go, oldest first."""
        rows = self._query("old events", _DUE, keep.parameters)
        return [Due(partition, tuple(accounts), *counts) for partition, accounts, *counts in rows]

    def clear(self, keep: Keep, due: Due) -> None:
        """Begin to let go what is due in a month. Repeating it is harmless."""
        wanted = ((due.events, _DELETE), (due.addresses, _CLEAR_ADDRESSES), (due.user_agents, _CLEAR_USER_AGENTS))
        commands = ", ".join(command for count, command in wanted if count)
        self._begin(f"ALTER TABLE events {commands}", keep, due)

    def sends_due(self, keep: Keep) -> list[SendsDue]:
        """Months with slim records that are older than any event that is kept, and have none; oldest first."""
        rows = self._query("old sends", _SENDS_DUE, keep.parameters)
        return [SendsDue(partition, tuple(accounts), sends) for partition, accounts, sends in rows]

    def delete_sends(self, keep: Keep, due: SendsDue) -> None:
        """Begin to delete the slim records that are due in a month. Repeating it is harmless."""
        self._begin(f"ALTER TABLE sends DELETE IN PARTITION ID {{partition:String}} WHERE {_OLD_SENDS}", keep, due)

    def with_events(self, account: int, send_ids: Collection[UUID], events_before: datetime) -> set[UUID]:
        """Those of an account's sends that have events which are kept."""
        asked = {
            "account": account,
            "sends": [each.int for each in send_ids],
            "events_before": _microseconds(events_before),
        }
        return {send_id for (send_id,) in self._query("events of old sends", _KEPT, asked)}

    def going(self, keep: Keep) -> Going:
        """How much is due; nothing is changed."""
        months = self.due(keep)
        return Going(
            sum(each.events for each in months),
            sum(each.addresses for each in months),
            sum(each.user_agents for each in months),
            sum(each.sends for each in self.sends_due(keep)),
        )

    def going_on(self) -> str | None:
        """Why the round that was begun is stuck, empty while it is not; None when there is none."""
        reasons = [reason for (reason,) in self._query("mutations", _GOING_ON, {})]
        return None if not reasons else "; ".join(filter(None, reasons))

    def give_up(self) -> None:
        """End a round that is stuck. What is gone is gone; the rest is due again."""
        with failures("kill mutation"):
            self._engine.command(f"KILL MUTATION WHERE {_OURS}")

    def _begin(self, sql: str, keep: Keep, due: Due | SendsDue) -> None:
        parameters = {**keep.parameters, "accounts": list(due.accounts), "partition": due.partition}
        with failures("retention"):
            self._engine.command(sql, parameters=parameters, settings={"mutations_sync": 0})

    def _query(self, operation: str, sql: str, parameters: dict[str, object]) -> Rows:
        return ask(self._engine, operation, sql, parameters)


def first_send_id(at: datetime) -> UUID:
    """Before every id of a send that was made from then on."""
    return uuid7((at - EPOCH) // timedelta(milliseconds=1), bytes(10))


def _microseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1)
