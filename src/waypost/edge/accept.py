"""Taking connections, as many as there is room for: those beyond wait in the kernel's queue.

Not `loop.create_server`: it accepts without end, and where descriptors run out it logs an error for each place in the
queue.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import cast

from waypost.edge.http1 import Connection, OpenConnections

TURN_MAX = 64
"""Connections taken in one turn of the event loop: those that are open have their turn too."""

log = logging.getLogger(__name__)


class Acceptor:
    """Takes connections from a listening socket. Begins with `resume`.

    Args:
        listener: a listening socket; closed by `close`.
        connections: those that are open.
        most: how many there may be.
        make: a connection.
        loop: it is used in.
    """

    def __init__(
        self,
        listener: socket.socket,
        connections: OpenConnections,
        most: int,
        make: Callable[[], Connection],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._listener = listener
        self._connections = connections
        self._most = most
        self._make = make
        self._loop = loop
        self._arriving: set[asyncio.Task[object]] = set()
        self._closed = False
        listener.setblocking(False)  # noqa: FBT003 -- the standard library's signature

    def resume(self) -> None:
        """Take connections again, after there was no room or an error. To be called every now and then."""
        if not self._closed:
            self._loop.add_reader(self._listener, self._accept)

    async def close(self) -> None:
        """Take no more; those that were taken are open when it returns."""
        self._closed = True
        self._loop.remove_reader(self._listener)
        self._listener.close()
        await asyncio.gather(*self._arriving, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(TURN_MAX):
            if len(self._connections) + len(self._arriving) >= self._most:
                self._pause("there are as many as there may be")
                return
            try:
                client, _address = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(str(error))
                return
            client.setblocking(False)  # noqa: FBT003 -- as above
            make = cast("Callable[[], asyncio.Protocol]", self._make)
            arriving = self._loop.create_task(self._loop.connect_accepted_socket(make, client))
            self._arriving.add(arriving)
            arriving.add_done_callback(self._arriving.discard)

    def _pause(self, reason: str) -> None:
        self._loop.remove_reader(self._listener)
        log.warning("new connections wait: %s", reason)
