"""Insert what can be inserted: one row that no store can hold must not stop the others."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from waypost.store import StoreRefused

log = logging.getLogger(__name__)

Row = TypeVar("Row")


def insert_all(insert: Callable[[Sequence[Row]], object], rows: Sequence[Row]) -> list[Row]:
    """Insert `rows`, halving what is refused until the rows at fault are alone.

    Returns:
        The rows at fault; all others are stored.

    Raises:
        StoreFailed: as `insert` does; some of the rows may be stored.
    """
    try:
        insert(rows)
    except StoreRefused as refused:
        if len(rows) == 1:
            log.error("one row cannot be stored: %s", refused.reason)  # noqa: TRY400 - the reason says it all
            return list(rows)
    else:
        return []
    middle = len(rows) // 2
    return insert_all(insert, rows[:middle]) + insert_all(insert, rows[middle:])
