"""Segments that edges elsewhere hand over: they wait here, in memory, until the pipeline's thread has stored them.

Nothing is acknowledged before it is stored, so nothing here needs to survive: the edge keeps the segment and hands it
over again.
"""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Final

from msgspec import Struct

from waypost.fleet.courier import NotNow, Receipt

WAITING_BYTES_MAX: Final = 256 << 20
"""Of segments in memory. Beyond it edges are asked to come again later."""

_FULL_SECONDS: Final = 2


class Offered(Struct, frozen=True):
    """A segment, and where to answer."""

    segment_id: str
    data: bytes
    answer: "Future[Receipt]"


class Intake:
    """Between the API's event loop and the pipeline's thread."""

    def __init__(self, waiting_bytes_max: int = WAITING_BYTES_MAX) -> None:
        self._waiting_bytes_max = waiting_bytes_max
        self._lock = threading.Lock()
        self._waiting: list[Offered] = []
        self._bytes = 0

    async def offer(self, segment_id: str, data: bytes) -> Receipt:
        """Hand a segment over, and wait until it is stored.

        Raises:
            NotNow: too much waits already, the store fails, or another collector has this segment in hand.
        """
        offered = Offered(segment_id, data, Future())
        with self._lock:
            if self._waiting and self._bytes + len(data) > self._waiting_bytes_max:
                raise NotNow("too many segments wait to be stored", _FULL_SECONDS)
            self._waiting.append(offered)
            self._bytes += len(data)
        return await asyncio.wrap_future(offered.answer)

    def take(self) -> Sequence[Offered]:
        """Everything that waits, for the pipeline's thread. Each is to be answered, or offered in vain."""
        with self._lock:
            taken, self._waiting, self._bytes = self._waiting, [], 0
        # Who does not wait for an answer any more hands it over again.
        return [each for each in taken if each.answer.set_running_or_notify_cancel()]
