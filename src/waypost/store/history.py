"""Derived columns of stored events, written again in place: no row is added, removed or seen twice.

One round writes the columns of some keys of one month. What is found out goes into a table in memory, and one mutation
of the month looks it up for every row. The engine replaces each part by its rewritten copy in one step and goes on with
it after a crash, so the table stays until the mutation is done. Facts are not touched. docs/adr/0014 has the reasons.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from msgspec import Struct

from waypost.store.ask import Rows, ask
from waypost.store.derived import Derived
from waypost.store.failures import failures

_TABLE: Final = "rewritten"
_KEY_COLUMNS: Final = (("key", "String"), ("is_there", "UInt8"))
# Of this module only: erasure has mutations of its own.
_OURS: Final = f"database = currentDatabase() AND table = 'events' AND position(command, '.{_TABLE}') > 0"
_GOING_ON: Final = f"SELECT latest_fail_reason FROM system.mutations WHERE {_OURS} AND NOT is_done"  # noqa: S608 -- constants


class Choice(Struct, frozen=True):
    """Which events: all since a time, or else those for which the step is still to be done."""

    derived: Derived
    since: datetime | None

    @property
    def condition(self) -> str:
        """In SQL, with `parameters`."""
        chosen = "has(unenriched, {step:String})" if self.since is None else "occurred_at >= {since:DateTime64(6)}"
        return f"{self.derived.condition} AND {chosen}"

    @property
    def parameters(self) -> dict[str, object]:
        """Of `condition`."""
        return {"step": self.derived.step} if self.since is None else {"since": self.since}


class Month(Struct, frozen=True):
    """A partition of the events, and what is chosen of it."""

    partition: str
    events: int
    keys: int
    """About so many distinct ones."""


class Inputs(Struct, frozen=True):
    """What a step needs for one key, and how many events share it."""

    key: str
    events: int
    values: tuple[Any, ...]


class History:
    """The rounds, one after another. For the thread that inserts."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def months(self, choice: Choice) -> list[Month]:
        """Where there are events of this choice, newest first."""
        sql = f"""
            SELECT _partition_id, count(), uniq({choice.derived.key})
            FROM events WHERE {choice.condition}
            GROUP BY _partition_id ORDER BY _partition_id DESC
        """  # noqa: S608 -- put together from this package's constants
        return [Month(*row) for row in self._query("months to enrich", sql, choice.parameters)]

    def inputs(self, choice: Choice, partition: str, share: int, shares: int) -> list[Inputs]:
        """The keys of one month, or of one of `shares` about equal parts of it."""
        sql = f"""
            SELECT {choice.derived.key} AS key, count(), {choice.derived.inputs}
            FROM events
            WHERE _partition_id = {{partition:String}} AND {choice.condition}
              AND sipHash64({choice.derived.key}) % {{shares:UInt32}} = {{share:UInt32}}
            GROUP BY key
        """  # noqa: S608 -- as above
        parameters = {"partition": partition, "share": share, "shares": shares, **choice.parameters}
        return [Inputs(key, events, tuple(values)) for key, events, *values in self._query("inputs", sql, parameters)]

    def rewrite(self, choice: Choice, partition: str, found: Sequence[tuple[object, ...]]) -> None:
        """Begin to write what was found out: (key, then the columns' values). None may be going on.

        Repeating it, with the same or with newer values, is harmless.
        """
        columns = choice.derived.columns
        with failures("rewrite events"):
            database = self._client.command("SELECT currentDatabase()")
            self._client.command(f"DROP TABLE IF EXISTS {_TABLE} SYNC")
            described = ", ".join(
                f"{name} {kind}" for name, kind in (("key", "String"), ("is_there", "UInt8"), *columns)
            )
            self._client.command(f"CREATE TABLE {_TABLE} ({described}) ENGINE = Join(ANY, LEFT, key)")
            if not found:
                return
            self._client.insert(
                _TABLE,
                [(key, 1, *values) for key, *values in found],
                column_names=[name for name, _ in (*_KEY_COLUMNS, *columns)],
            )
            # Qualified, because a mutation runs in no session. A key that is not there leaves its rows alone.
            looked_up = f"joinGet('{database}.{_TABLE}', '{{}}', {choice.derived.key})".format
            changes = [f"{name} = {looked_up(name)}" for name, _ in columns]
            changes.append("unenriched = arrayFilter(step -> step != {step:String}, unenriched)")
            self._client.command(
                f"ALTER TABLE events UPDATE {', '.join(changes)} IN PARTITION ID {{partition:String}} "
                f"WHERE {choice.condition} AND {looked_up('is_there')} = 1",
                parameters={"partition": partition, "step": choice.derived.step, **choice.parameters},
                settings={"mutations_sync": 0},
            )

    def going_on(self) -> str | None:
        """Why the round that was begun is stuck, empty while it is not; None when there is none."""
        reasons = [reason for (reason,) in self._query("mutations", _GOING_ON, {})]
        return None if not reasons else "; ".join(filter(None, reasons))

    def give_up(self) -> None:
        """End a round that is stuck. Parts that are rewritten stay so; the others stay as they were."""
        with failures("kill mutation"):
            self._client.command(f"KILL MUTATION WHERE {_OURS}")

    def finish(self) -> None:
        """Free the memory, after the last round."""
        with failures("finish"):
            self._client.command(f"DROP TABLE IF EXISTS {_TABLE} SYNC")

    def _query(self, operation: str, sql: str, parameters: dict[str, object]) -> Rows:
        return ask(self._client, operation, sql, parameters)
