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
from waypost.edge.decide import Edge, Refusal, Request, decide
from waypost.edge.http1 import Clock, Connection, OpenConnections
from waypost.edge.keys import KeyringFile
from waypost.events.hit import Hit
from waypost.spool.counters import Count

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
        name: of this worker.
        keys: opens tokens.
        spool: keeps hits.
        now: aware UTC.
        randomness: as `os.urandom`.
    """

    def __init__(
        self,
        name: str,
        keys: KeyringFile,
        spool: Spool,
        *,
        now: Callable[[], datetime],
        randomness: Callable[[int], bytes],
    ) -> None:
        self._name = name
        self._keys = keys
        self._spool = spool
        self._now = now
        self._randomness = randomness
        self._edge = Edge(name, keys.keyring)

    def handle(self, request: Request, answer: Callable[[Answer], None]) -> None:
        """Answer a request, once what it tells is kept, or cannot be, or takes too long to be."""
        decision = decide(request, self._edge, self._now(), self._randomness(10))
        if decision.refusal is Refusal.UNKNOWN_KEY and self._keys.reload():
            self._edge = Edge(self._name, self._keys.keyring)
            decision = decide(request, self._edge, self._now(), self._randomness(10))
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
    app: EdgeApp,
    listener: socket.socket,
    stop: asyncio.Event,
    wall: Callable[[], float],
    *,
    connections_max: int = CONNECTIONS_MAX,
) -> None:
    """Serve until `stop`, then finish what was asked.

    Args:
        app: answers.
        listener: a listening socket; closed at the end.
        stop: set it to end.
        wall: seconds since 1970, for the Date header.
        connections_max: those beyond it wait.
    """
    loop = asyncio.get_running_loop()
    connections = OpenConnections()
    clock = Clock(wall)
    acceptor = Acceptor(
        listener,
        connections,
        connections_max,
        lambda: Connection(app.handle, connections, clock, time.monotonic),
        loop,
    )
    sweeper = loop.create_task(_sweep(connections, acceptor))
    try:
        await stop.wait()
    finally:
        sweeper.cancel()
        acceptor.close()
        cut_off = await connections.drain(DRAIN_SECONDS)
        if cut_off:
            log.warning("%d connections were closed before they were done", cut_off)


async def _sweep(connections: OpenConnections, acceptor: Acceptor) -> None:
    while True:
        connections.expire(time.monotonic())
        acceptor.resume()
        await asyncio.sleep(SWEEP_SECONDS)
