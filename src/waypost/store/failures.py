"""The client's exceptions, translated in this one place."""

from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver.exceptions import DataError, Error
from pyarrow import ArrowInvalid  # type: ignore[import-untyped]

from waypost.store.errors import StoreFailed, StoreRefused


@contextmanager
def failures(operation: str) -> Iterator[None]:
    """Raise ours for the client's.

    Raises:
        StoreRefused: a row that cannot be held.
        StoreFailed: the engine failed or could not be reached.
    """
    try:
        yield
    except (DataError, ArrowInvalid, OverflowError, UnicodeEncodeError) as error:
        raise StoreRefused(operation, str(error)) from error
    except Error as error:
        raise StoreFailed(operation, str(error)) from error
