"""The event loop of a process that answers readers: asyncio's, which waits for our sockets and for its own at once."""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TypeVarTuple, Unpack

from waypost.edge.stream import Streams

_Arguments = TypeVarTuple("_Arguments")


def run(main: Callable[[Streams], Coroutine[None, None, None]]) -> None:
    """Run an asynchronous function with sockets to use, as `asyncio.run` would."""
    streams = Streams()
    with asyncio.Runner(loop_factory=lambda: _Loop(_Selector(streams))) as runner:
        runner.run(main(streams))


class _Selector(selectors.EpollSelector):
    """What asyncio waits with: it is woken for what it watches itself, and our sockets are looked after in between.

    A turn of asyncio's loop is Python and costs a click something: it has one when it has something to do.
    """

    def __init__(self, streams: Streams) -> None:
        super().__init__()
        self.asked = False
        """Something was scheduled in asyncio's loop since it began to wait."""
        self._streams = streams
        streams.watch_beside(self.fileno())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.asked = False
        until = None if timeout is None else time.monotonic() + timeout
        while not self._streams.turn(timeout):
            if self.asked:
                return []
            if until is not None:
                timeout = until - time.monotonic()
                if timeout <= 0:
                    return []
        return super().select(0)

    def close(self) -> None:
        self._streams.close()
        super().close()


class _Loop(asyncio.SelectorEventLoop):
    """Tells its selector when it has something to do."""

    def __init__(self, selector: _Selector) -> None:
        super().__init__(selector)
        self._waiting = selector

    def call_soon(
        self,
        callback: Callable[[Unpack[_Arguments]], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        self._waiting.asked = True
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Arguments]], object],
        *args: *_Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self._waiting.asked = True
        return super().call_at(when, callback, *args, context=context)
