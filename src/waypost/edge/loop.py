"""The event loop of a process that answers readers: asyncio's, which waits for our sockets and for its own at once."""

import asyncio
import logging
import os
import selectors
from collections.abc import Callable, Coroutine

from waypost.edge.stream import Streams

log = logging.getLogger(__name__)


def run(main: Callable[[Streams], Coroutine[None, None, None]]) -> None:
    """Run an asynchronous function with sockets to use, as `asyncio.run` would."""
    streams = Streams()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(_Selector(streams))) as runner:
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

    What they do is as good as done in the loop's turn: what is called soon, or at a time that has come, comes next.
    """

    def __init__(self, streams: Streams) -> None:
        super().__init__()
        self._streams = streams
        streams.watch_beside(self.fileno())

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(0) if self._streams.turn(timeout) else []

    def close(self) -> None:
        self._streams.close()
        super().close()
