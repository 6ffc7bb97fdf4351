"""One HTTP/1.1 connection (RFC 9112): llhttp, the parser of Node.js, reads; this says when to answer and when to close.

A request is answered as soon as its head is complete. One with a body, or with an upgrade, is answered all the same
and ends the connection: nothing here takes a body, and what follows it could be a smuggled request. Pipelined requests
are answered in their order.
"""

import asyncio
import logging
import math
import re
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from typing import Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from waypost.edge.answer import BAD_REQUEST, HEAD_TOO_LARGE, INTERNAL_ERROR, Answer, encode
from waypost.edge.decide import Request
from waypost.edge.forwarded import JOINED_HEADERS

HEAD_BYTES_MAX = 131_072
"""Cookies of a link domain's siblings arrive too, and 64 KB of headers must pass."""
PIPELINE_MAX = 16
"""Requests of one connection that may wait for their answers; beyond it the connection is not read."""
IDLE_SECONDS = 75.0
"""Between requests: as nginx, so that a front in its usual configuration closes first."""
HEAD_SECONDS = 15.0
"""From a request's first byte to the end of its head; a trickling client costs a connection no longer than this."""
LINGER_SECONDS = 2.0
"""After the last answer, for the client to read it: closing over unread input would reset the connection first."""

Handler = Callable[[Request, Callable[[Answer], None]], None]
"""Given a request and a function to call once, now or later, with its answer."""

log = logging.getLogger(__name__)


class Clock:
    """The Date header's value, made once a second."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._second = -1
        self._text = ""

    def date(self) -> str:
        """As RFC 9110, section 5.6.7."""
        second = int(self._now())
        if second != self._second:
            self._second = second
            self._text = formatdate(second, usegmt=True)
        return self._text


class Transport(Protocol):
    """What carries a connection's bytes: `waypost.edge.stream.Stream`. As asyncio's, with less of it."""

    peer: str
    """IP address of the client; empty when there is none."""

    def write(self, data: bytes) -> None:
        """Send, and never wait for the client."""

    def write_eof(self) -> None:
        """Nothing is written any more."""

    def is_closing(self) -> bool:
        """It is closed, or about to be."""

    def close(self) -> None:
        """Close, once the client has everything."""

    def abort(self) -> None:
        """Close now."""

    def pause_reading(self) -> None:
        """Do not read from the client."""

    def resume_reading(self) -> None:
        """Read again."""


class OpenConnections:
    """The connections there are, and a way to wait until there are none."""

    def __init__(self) -> None:
        self._open: set[Connection] = set()
        self._none = asyncio.Event()
        self._none.set()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: "Connection") -> None:
        """A client connected."""
        self._open.add(connection)
        self._none.clear()

    def discard(self, connection: "Connection") -> None:
        """It is gone."""
        self._open.discard(connection)
        if not self._open:
            self._none.set()

    def expire(self, now: float) -> None:
        """Close those on which nothing came for too long. One sweep for all is cheaper than a timer for each."""
        for connection in tuple(self._open):
            connection.expire(now)

    async def drain(self, seconds: float) -> int:
        """Finish what was asked, within a time limit. Returns how many connections had to be cut off."""
        for connection in tuple(self._open):
            connection.drain()
        try:
            await asyncio.wait_for(self._none.wait(), seconds)
        except TimeoutError:
            left = len(self._open)
            self.expire(math.inf)
            return left
        return 0


class _Pending:
    """A request waiting for its answer."""

    __slots__ = ("body", "close", "data")

    def __init__(self, *, body: bool, close: bool) -> None:
        self.body = body
        self.close = close
        self.data: bytes | None = None


class Connection:
    """Parses requests, hands them to the handler, writes answers in order.

    Args:
        handler: gets each request.
        connections: this one is in it while it is open.
        clock: for Date.
        monotonic: seconds.
    """

    __deletable__ = ("_parser",)
    """mypyc's word for an attribute that can be taken away again."""

    def __init__(
        self,
        handler: Handler,
        connections: OpenConnections,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._handler = handler
        self._connections = connections
        self._clock = clock
        self._monotonic = monotonic
        self._parser = HttpRequestParser(self)
        self._pending: deque[_Pending] = deque()
        self._head_bytes = 0
        self._last_request = False
        self._draining = False
        self._ended = False
        self._answered = False
        self._unread_answers = False
        self._paused = False
        self.on_message_begin()

    # as of asyncio.Protocol, for the transport

    def connection_made(self, transport: Transport) -> None:
        """A client connected."""
        self._transport = transport
        self._client_address = transport.peer
        self._connections.add(self)
        self.deadline = self._monotonic() + HEAD_SECONDS

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        """It is gone; answers on their way to it go nowhere."""
        self._connections.discard(self)
        self._ended = True
        del self._parser  # it holds this object's methods: a cycle, which only the collector would end

    def data_received(self, data: bytes) -> None:
        """Bytes of requests."""
        if self._last_request:
            return
        if not self._head_bytes:
            self.deadline = self._monotonic() + HEAD_SECONDS
        if not (data.isascii() or (self._head_bytes and self._headers)):
            data = _ascii_request_line(data)
        self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            pass  # answered and closed by on_headers_complete
        except HttpParserError:
            self._refuse(BAD_REQUEST)
        if not self._head_bytes and not data.endswith(b"\r\n\r\n"):
            self._next_head(data)
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse(HEAD_TOO_LARGE)
        if len(self._pending) > PIPELINE_MAX:
            self._regulate()

    def eof_received(self) -> bool:
        """The client sends no more; keep the connection while answers are due."""
        self._last_request = True
        return bool(self._pending)

    def pause_writing(self) -> None:
        """The client does not read its answers: take no more requests from it."""
        self._unread_answers = True
        self._regulate()

    def resume_writing(self) -> None:
        """It reads again."""
        self._unread_answers = False
        self._regulate()

    # httptools

    def on_message_begin(self) -> None:
        """A request line starts."""
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._more: dict[bytes, list[bytes]] = {}
        self._two_hosts = False

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line; the first of a name counts, but for those that are lists."""
        name = name.lower()
        known = len(self._headers)
        self._headers.setdefault(name, value)
        if len(self._headers) > known:
            return
        if name in JOINED_HEADERS:
            self._more.setdefault(name, [self._headers[name]]).append(value)
        elif name == b"host":
            self._two_hosts = True

    def on_headers_complete(self) -> None:
        """The head is whole: decide. The parser goes on to the next request in the same bytes."""
        self._head_bytes = 0
        if self._last_request:
            return
        parser = self._parser
        headers = self._headers
        for name, values in self._more.items():
            headers[name] = b",".join(values)
        host = headers.get(b"host")
        version = parser.get_http_version()
        # RFC 9112, section 3.2: exactly one Host, but for HTTP/1.0, which may have none.
        if self._two_hosts or (host is None and version != "1.0"):
            self._refuse(BAD_REQUEST)
            return
        method = parser.get_method()
        close = (
            self._draining
            # An older client does not know that a connection stays open, or wants to be told in words of its own.
            or version != "1.1"
            or not parser.should_keep_alive()
            or headers.get(b"content-length", b"0") != b"0"
            or b"transfer-encoding" in headers
            or b"upgrade" in headers
            or method == b"CONNECT"
        )
        self._last_request = close
        pending = _Pending(body=method != b"HEAD", close=close)
        self._pending.append(pending)
        # llhttp leaves the white space behind a value (RFC 9110, section 5.5).
        request = Request(method, self._target, host.rstrip() if host else b"", self._client_address, headers)
        try:
            self._handler(request, lambda answer: self._answer(pending, answer))
        except Exception:
            log.exception("a request could not be answered")
            self._last_request = pending.close = True
            self._answer(pending, INTERNAL_ERROR)

    # ours

    def drain(self) -> None:
        """Answer what was asked, and what a fresh connection is about to ask, then close: the server is stopping."""
        self._draining = True
        if self._pending:
            self._last_request = self._pending[-1].close = True
        elif self._answered and not self._head_bytes:
            self._transport.close()

    def expire(self, now: float) -> None:
        """Close when nothing came for too long. A request whose answer is due is never cut off."""
        if now > self.deadline and not self._pending:
            self._transport.abort()

    def _next_head(self, data: bytes) -> None:
        """A head was completed in these bytes: what stands behind the last one begins another."""
        end = data.rfind(b"\r\n\r\n")
        # Not there: a part of it came before.
        begun = data[end + 4 :] if end >= 0 else data[data.find(b"\n") + 1 :]
        self._head_bytes = len(begun.lstrip(b"\r\n"))
        if self._head_bytes:
            self.deadline = self._monotonic() + HEAD_SECONDS

    def _refuse(self, answer: Answer) -> None:
        """Answer what cannot be parsed, in its turn, and close."""
        if self._last_request:
            return
        self._last_request = True
        pending = _Pending(body=True, close=True)
        self._pending.append(pending)
        self._answer(pending, answer)

    def _answer(self, pending: _Pending, answer: Answer) -> None:
        pending.data = encode(answer, date=self._clock.date(), body=pending.body, close=pending.close)
        queue = self._pending
        while queue and queue[0].data is not None:
            first = queue.popleft()
            if not self._ended:
                self._write(first)

    def _write(self, pending: _Pending) -> None:
        assert pending.data is not None  # noqa: S101 -- for the type checker
        self._answered = True
        self._transport.write(pending.data)
        if self._last_request and not self._pending:
            self._ended = True
            self.deadline = self._monotonic() + LINGER_SECONDS
            self._transport.write_eof()
            return
        self.deadline = self._monotonic() + (HEAD_SECONDS if self._head_bytes else IDLE_SECONDS)
        if self._paused:
            self._regulate()

    def _regulate(self) -> None:
        """Read from the client only while its answers are few and read."""
        wanted = self._unread_answers or len(self._pending) > PIPELINE_MAX
        if wanted is self._paused or self._transport.is_closing():
            return
        self._paused = wanted
        if wanted:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()


_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


def _ascii_request_line(data: bytes) -> bytes:
    """With bytes beyond ASCII in the first line percent-encoded, as browsers do: llhttp refuses a target with such.

    Some clients send them as they are, in a query above all, and fronts pass that on.
    """
    line, end, rest = data.partition(b"\n")
    return _BEYOND_ASCII.sub(lambda found: b"%%%02X" % found[0][0], line) + end + rest
