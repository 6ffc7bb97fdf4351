"""HTTP/1.1 over one connection to a receiver, one request after the other.

`h11` knows the protocol. A request, head and body, goes out in one write.
"""

import asyncio
from typing import Final, cast

import h11

from waypost.webhooks.errors import BrokenExchangeError

# nginx and Node send 16 KB at most, by default.
_HEAD_BYTES_MAX: Final = 65_536


class Exchange(asyncio.Protocol):
    """A connection; `ask`, then `beginning`, then `ends`, and again while `is_open`."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES_MAX)
        self._transport: asyncio.Transport
        self._asked = False
        self._received = asyncio.Event()
        self._lost: Exception | None = None
        self.is_open = True
        """Whether it may be asked more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if not self._asked:  # it would be taken for the answer to what is asked next
            self.abort()
            return
        self._http.receive_data(data)
        self._received.set()

    def eof_received(self) -> None:
        """Called by asyncio, which closes the connection then."""
        self.is_open = False
        self._http.receive_data(b"")
        self._received.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self.is_open = False
        self._lost = exc or ConnectionAbortedError("the connection was closed")
        self._received.set()

    async def ask(self, path: str, headers: list[tuple[str, str]], body: bytes) -> h11.Response:
        """POST it, and wait for the head of the answer, however long that takes.

        Raises:
            BrokenExchangeError: what came was no answer, or nothing more will come.
        """
        self._asked = True
        try:
            events = (h11.Request(method="POST", target=path, headers=headers), h11.Data(body), h11.EndOfMessage())
            self._transport.write(b"".join(filter(None, map(self._http.send, events))))
        except h11.LocalProtocolError as error:
            raise BrokenExchangeError(f"no HTTP request: {error}") from error
        while not isinstance(event := await self._event(), h11.Response):
            pass  # 1xx
        return event

    async def beginning(self, most: int) -> bytes:
        """The first bytes of the answer's body, at least `most` of them unless it has fewer.

        Raises:
            BrokenExchangeError: it broke off before.
        """
        found = b""
        while len(found) < most and isinstance(event := await self._event(), h11.Data):
            found += event.data
        return found

    def ends(self) -> None:
        """The answer is not looked at any more; closes the connection, unless all of it was read."""
        whole = self._http.our_state is self._http.their_state is h11.DONE and not self._http.trailing_data[0]
        if not whole or not self.is_open:
            self.abort()
            return
        self._http.start_next_cycle()
        self._asked = False

    def close(self) -> None:
        """Let go of a connection that nothing is under way on."""
        self.is_open = False
        self._transport.close()

    def abort(self) -> None:
        """Close it at once."""
        self.is_open = False
        self._transport.abort()

    async def _event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        """The next one, or that there is none; it never needs data."""
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                if self._lost is not None:
                    raise BrokenExchangeError(str(self._lost)) from self._lost
                self._received.clear()
                await self._received.wait()
        except h11.RemoteProtocolError as error:
            why = str(error) if self.is_open else "the connection was closed before the end of an answer"
            raise BrokenExchangeError(why) from error
        return event
