"""One query: its rows, or what went wrong in our words."""

from collections.abc import Mapping, Sequence
from typing import Any

from clickhouse_connect.driver.client import Client

from waypost.store.failures import failures

Rows = Sequence[Sequence[Any]]


def ask(
    client: Client,
    operation: str,
    sql: str,
    parameters: Mapping[str, object],
    settings: Mapping[str, object] | None = None,
) -> Rows:
    """The rows of a query.

    Args:
        client: over which it goes.
        operation: what it is called when it fails.
        sql: with its parameters by name.
        parameters: of `sql`.
        settings: of the engine, for this query.

    Raises:
        StoreError: as `failures`.
    """
    with failures(operation):
        return client.query(sql, parameters=dict(parameters), settings=dict(settings or {})).result_rows
