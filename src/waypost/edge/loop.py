"""The event loop of a process that answers readers: asyncio's, which waits for our sockets and for its own at once."""

import asyncio
import logging
import os
import selectors
import time
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TypeVarTuple, Unpack

from waypost.edge.stream import Streams

_Arguments = TypeVarTuple("_Arguments")

log = logging.getLogger(__name__)


def run(main: Callable[[Streams], Coroutine[None, None, None]]) -> None:
    """Run an asynchronous function with sockets to use, as `asyncio.run` would."""
    streams = Streams()
    with asyncio.Runner(loop_factory=lambda: _Loop(_Selector(streams))) as runner:
        runner.run(main(streams))


def yield_to_the_front() -> None:
    """Have this process wait while others are at work on its core, for as long as the kernel lets each work in one go.

    The default interrupts whoever works for whoever was asked, here the TLS front for one click. Where a core is busy
    the clicks that come meanwhile are answered together, and both find more of what they need in its caches; where one
    is idle nothing changes (sched(7), SCHED_BATCH). Threads that are started later do as this one.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except OSError as error:
        log.warning("clicks interrupt the TLS front on a busy core: %s", error)


class _Selector(selectors.EpollSelector):
    """What asyncio waits with: it is woken for what it watches itself, and our sockets are looked after in between.

    A turn of asyncio's loop costs as much as reading a request: it has one when it has something to do.
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
