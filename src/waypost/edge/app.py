"""The redirect server's shell: decide, keep, answer."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from waypost.config import HostPort
from waypost.edge.accept import Acceptor
from waypost.edge.answer import Answer
from waypost.edge.decide import Edge, Request, decide
from waypost.edge.http1 import Clock, Connection, Handler, OpenConnections
from waypost.edge.stream import Streams
from waypost.events.hit import Hit
from waypost.spool.counters import Count, Seen

SWEEP_SECONDS = 1.0
DRAIN_SECONDS = 5.0
"""For clients to send what they are sending, at a stop."""
BACKLOG = 2048
CONNECTIONS_MAX = 20_000
"""About 8 KB each."""

log = logging.getLogger(__name__)


class Spool(Protocol):
    """What keeps hits: `waypost.spool.commit.GroupCommit`, or a list in a test."""

    def append(self, hit: Hit, release: Callable[[Count], None]) -> None:
        """Keep a hit and call `release` when the reader may be answered."""


class EdgeApp:
    """Answers requests.

    Args:
        facts: what does not change between requests; asked at each one, so that it may change between two.
        spool: keeps hits.
        seen: told what became of each request.
        now: aware UTC.
        randomness: as `os.urandom`.
    """

    def __init__(
        self,
        facts: Callable[[], Edge],
        spool: Spool,
        *,
        seen: Callable[[Seen], None],
        now: Callable[[], datetime],
        randomness: Callable[[int], bytes],
    ) -> None:
        self._facts = facts
        self._spool = spool
        self._seen = seen
        self._now = now
        self._randomness = randomness

    def handle(self, request: Request, answer: Callable[[Answer], None]) -> None:
        """Answer a request, once what it tells is kept, or cannot be, or takes too long to be."""
        decision = decide(request, self._facts(), self._now(), self._randomness(10))
        self._seen(decision.seen)
        if decision.repaired:
            self._seen(Seen.REPAIRED)
        if decision.hit is None:
            answer(decision.answer)
        else:
            self._spool.append(decision.hit, lambda _: answer(decision.answer))


def listening_socket(listen: HostPort, *, shared: bool) -> socket.socket:
    """A listening socket of a worker.

    Args:
        listen: where.
        shared: other workers of this user may have theirs on the same port: the kernel spreads connections over them.

    Raises:
        OSError: the address cannot be had.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


async def serve(
    handler: Handler,
    listener: socket.socket,
    streams: Streams,
    stop: asyncio.Event,
    wall: Callable[[], float],
    *,
    connections_max: int = CONNECTIONS_MAX,
    on_sweep: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve until `stop`, then finish what was asked.

    Args:
        handler: answers.
        listener: a listening socket; closed at the end.
        streams: in which the event loop waits (`waypost.edge.loop`).
        stop: set it to end.
        wall: seconds since 1970, for the Date header.
        connections_max: those beyond it wait.
        on_sweep: called every second with the number of open connections.
    """
    loop = asyncio.get_running_loop()
    connections = OpenConnections()
    clock = Clock(wall)
    acceptor = Acceptor(
        listener,
        connections,
        connections_max,
        lambda: Connection(handler, connections, clock, time.monotonic),
        streams,
    )
    sweeper = loop.create_task(_sweep(connections, acceptor, on_sweep))
    try:
        await stop.wait()
    finally:
        acceptor.close()
        cut_off = await connections.drain(DRAIN_SECONDS)
        sweeper.cancel()
        if cut_off:
            log.warning("%d connections were closed before they were done", cut_off)


async def _sweep(connections: OpenConnections, acceptor: Acceptor, on_sweep: Callable[[int], None]) -> None:
    while True:
        connections.expire(time.monotonic())
        acceptor.resume()
        on_sweep(len(connections))
        await asyncio.sleep(SWEEP_SECONDS)
