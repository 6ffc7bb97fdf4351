"""The sockets of connections, in the event loop: read when something came, written as far as the client takes it.

Not asyncio's transports, which cost a redirect more than reading its request does. All sockets are in one epoll of
ours, in which the event loop waits too (`waypost.edge.loop`).
"""

import logging
import select
import socket
from collections.abc import Callable
from typing import Final

from waypost.edge.http1 import Connection

READ_BYTES: Final = 32_768
"""At a time; as much as most fronts send at once."""
UNSENT_BYTES_MAX: Final = 65_536
"""Answers that a client does not take; beyond it, it is read no more."""
TURN_MAX: Final = 256
"""Sockets looked after in one turn of the event loop: clicks that are kept meanwhile have their turn too."""

_IN: Final = select.EPOLLIN
_OUT: Final = select.EPOLLOUT

log = logging.getLogger(__name__)


class Streams:
    """All sockets of a server."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._streams: dict[int, Stream] = {}
        self._gone: list[tuple[Stream, OSError | None]] = []
        self._soon: list[Callable[[], None]] = []

    def open(self, client: socket.socket, peer: str, connection: Connection) -> None:
        """Connect a socket that was accepted with what answers on it.

        Args:
            client: does not block.
            peer: IP address of the client; empty when there is none.
            connection: gets what arrives.

        Raises:
            OSError: the client is gone already, or there is no memory for one more.
        """
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = Stream(client, peer, connection, self)
        stream.watch()
        connection.connection_made(stream)

    def watch(self, stream: "Stream", descriptor: int, before: int, events: int) -> None:
        """Have a stream told of other events than before; of none: not looked after any more."""
        if not events:
            self._epoll.unregister(descriptor)
            del self._streams[descriptor]
        elif before:
            self._epoll.modify(descriptor, events)
        else:
            self._epoll.register(descriptor, events)
            self._streams[descriptor] = stream

    def watch_beside(self, descriptor: int) -> None:
        """Have `turn` return for something else, too."""
        self._epoll.register(descriptor, _IN)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Have something called once all sockets of this turn have been looked after."""
        self._soon.append(callback)

    def lost(self, stream: "Stream", error: OSError | None) -> None:
        """Have a stream told that it is gone, later: its connection may be at work."""
        self._gone.append((stream, error))

    def turn(self, timeout: float | None) -> bool:
        """Wait for sockets and look after those that are ready.

        Args:
            timeout: seconds at most; None: without end.

        Returns:
            Something else may be ready that is watched beside them.
        """
        ready = self._epoll.poll(0 if self._gone or self._soon else timeout, TURN_MAX)
        other = len(ready) == TURN_MAX  # it may be behind them
        for descriptor, events in ready:
            stream = self._streams.get(descriptor)
            if stream is not None:
                stream.ready(events)
            else:
                other = True  # or a stream that was closed in this very turn
        if self._soon:
            self._call()
        if self._gone:
            self._tell_gone()
        return other

    def _call(self) -> None:
        soon, self._soon = self._soon, []
        for callback in soon:
            try:
                callback()
            except Exception:
                log.exception("what the requests of a turn left to do failed")

    def _tell_gone(self) -> None:
        """Not in `turn`: its frame is in the traceback of each error, and would keep all that it names."""
        gone, self._gone = self._gone, []
        for stream, error in gone:
            try:
                stream.gone(error)
            except Exception:
                log.exception("a connection failed")

    def close(self) -> None:
        """Look after none any more."""
        self._epoll.close()


class Stream:
    """One socket: what `waypost.edge.http1.Connection` asks of a transport."""

    __deletable__ = ("_connection",)

    def __init__(self, client: socket.socket, peer: str, connection: Connection, streams: Streams) -> None:
        self.peer = peer
        self._socket = client
        self._descriptor = client.fileno()
        self._receive = client.recv
        self._send = client.send
        self._connection = connection
        self._streams = streams
        self._events = 0
        self._reading = True
        self._unsent = bytearray()
        self._is_full = False
        self._client_ended = False
        self._ends = False
        self._closing = False
        self._lost = False

    def ready(self, events: int) -> None:
        """What was watched for has come."""
        try:
            if events & _OUT:
                self._flush()
            # An error or a hang-up is found by reading, too.
            if events & ~_OUT and self._reading and not self._lost:
                self._read()
        except Exception:
            log.exception("a connection failed")
            self.abort()

    def gone(self, error: OSError | None) -> None:
        """Nothing happens to it any more."""
        self._connection.connection_lost(error)
        self._socket.close()
        del self._connection  # each holds the other: a cycle, which only the collector would end

    def write(self, data: bytes) -> None:
        """Send, now as far as the client takes it, and the rest when it does."""
        if self._closing:
            return
        if self._unsent:
            self._unsent += data
        else:
            sent = self._try_send(data)
            if sent == len(data) or self._lost:
                return
            self._unsent += data[sent:]
            self.watch()
        if len(self._unsent) > UNSENT_BYTES_MAX and not self._is_full:
            self._is_full = True
            self._connection.pause_writing()

    def write_eof(self) -> None:
        """Nothing is written any more: the client is told, once it has everything."""
        self._ends = True
        if not self._unsent:
            self._end()

    def is_closing(self) -> bool:
        """It is closed, or will be once the client has everything."""
        return self._closing

    def close(self) -> None:
        """Read no more; close once the client has everything."""
        if self._closing:
            return
        self._closing = True
        self.pause_reading()
        if not self._unsent:
            self._lose(None)

    def abort(self) -> None:
        """Close now."""
        self._lose(None)

    def pause_reading(self) -> None:
        """What the client sends waits."""
        self._reading = False
        self.watch()

    def resume_reading(self) -> None:
        """Read again."""
        if not self._closing:
            self._reading = True
            self.watch()

    def watch(self) -> None:
        """Watch for what is of interest now."""
        events = 0 if self._lost else (_IN if self._reading else 0) | (_OUT if self._unsent else 0)
        if events != self._events:
            self._streams.watch(self, self._descriptor, self._events, events)
            self._events = events  # not before: the kernel may have no memory for one more

    def _read(self) -> None:
        try:
            data = self._receive(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        if data:
            self._connection.data_received(data)
        elif self._connection.eof_received():
            self._client_ended = True
            self.pause_reading()
        else:
            self.close()

    def _try_send(self, data: bytes | bytearray) -> int:
        """How much the client took."""
        try:
            return self._send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._lose(error)
            return 0

    def _flush(self) -> None:
        del self._unsent[: self._try_send(self._unsent)]
        if self._unsent or self._lost:
            return
        self.watch()
        if self._closing:
            self._lose(None)
        elif self._ends:
            self._end()
        if self._is_full:
            self._is_full = False
            self._connection.resume_writing()

    def _end(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._lose(error)
            return
        if self._client_ended:
            self._lose(None)

    def _lose(self, error: OSError | None) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        self.watch()
        self._streams.lost(self, error)
