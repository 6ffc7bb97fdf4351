"""Asking for the API: bounded in time and in number, so that a store that is slow costs what needs it and no more."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TakesTooLong
from typing import Final

from clickhouse_connect.driver.client import Client

from waypost.store.ask import Rows, ask
from waypost.store.errors import StoreFailed

READ_SECONDS = 10
"""A query that takes longer is given up: it would hold up those behind it."""
READERS_MAX: Final = 8
"""Queries that may run or wait at once. A store that is slow then costs its own routes an error, and leaves the others
the rest of the API's 40 threads."""
GLANCE_SECONDS = 1.0
"""What an answer is held up at most by something that is only added to it."""
_GLANCERS: Final = 4


class Reader:
    """Queries that somebody waits for."""

    def __init__(self, client: Client) -> None:
        """On a connection that no insert uses."""
        self._client = client
        self._free = threading.BoundedSemaphore(READERS_MAX)

    def query(self, operation: str, sql: str, **parameters: object) -> Rows:
        """The rows.

        Raises:
            StoreFailed: also when the answer takes too long, or too many are waiting for theirs.
        """
        if not self._free.acquire(blocking=False):
            raise StoreFailed(operation, f"{READERS_MAX} queries are waiting already")
        try:
            return ask(self._client, operation, sql, parameters, {"max_execution_time": READ_SECONDS})
        finally:
            self._free.release()


class Glance:
    """Queries that an answer does without when they take longer than a moment.

    The engine gives a query up that is slow, but not one that hangs in a system call, so the wait is bounded here. On a
    connection of its own: on one, calls wait for each other, and an analysis may take seconds.
    """

    def __init__(self, client: Client) -> None:
        """Start no thread yet."""
        self._client = client
        self._threads = ThreadPoolExecutor(_GLANCERS, thread_name_prefix="glance")
        self._free = threading.BoundedSemaphore(_GLANCERS)

    def query(self, operation: str, sql: str, **parameters: object) -> Rows:
        """The rows.

        Raises:
            StoreFailed: also when they are not there in a moment.
        """
        if not self._free.acquire(timeout=GLANCE_SECONDS):
            raise StoreFailed(operation, f"{_GLANCERS} queries are waiting already")
        asked: Future[Rows] = self._threads.submit(self._ask, operation, sql, parameters)
        asked.add_done_callback(lambda _: self._free.release())
        try:
            return asked.result(timeout=GLANCE_SECONDS)
        except TakesTooLong as error:
            raise StoreFailed(operation, f"no answer within {GLANCE_SECONDS} s") from error

    def close(self) -> None:
        """Wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, operation: str, sql: str, parameters: dict[str, object]) -> Rows:
        return ask(self._client, operation, sql, parameters, {"max_execution_time": GLANCE_SECONDS})
