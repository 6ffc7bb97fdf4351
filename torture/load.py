"""Readers that click without end and know exactly which of their clicks were answered.

Every click is one token with a send id of its own that holds the click's number, so what was answered can be compared
with what is stored, one by one.
"""

import itertools
import socket
import threading
import time
from array import array
from collections.abc import Iterator
from contextlib import closing, suppress
from random import Random
from types import TracebackType
from typing import Self
from uuid import UUID

from waypost.links.keyring import Keyring
from waypost.links.token import Sealer

LINK_DOMAIN = "localhost"
ACCOUNT, PROFILE = 7, 8
_SENDS = 0x019CB7D4_0D59_7000_8000_000000000000
_NUMBER_BITS = 48
PIPELINED_MAX = 16
"""What the edge takes on one connection before it stops reading."""
ANSWER_SECONDS = 60.0
"""A reader that has waited so long counts as not redirected; a core starts within it, so an edge does."""
_HEADERS = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\nAccept: text/html\r\n\r\n"
)


def send_id(number: int) -> UUID:
    """Of the click with that number."""
    return UUID(int=_SENDS + number)


def number_of(send: UUID) -> int:
    """The click's number."""
    return send.int & (1 << _NUMBER_BITS) - 1


def destination(number: int) -> str:
    """Where the click leads."""
    return f"https://shop.example/{number}"


def sealer(
    keyring: Keyring, link_domain: str = LINK_DOMAIN, *, account: int = ACCOUNT, profile: int = PROFILE
) -> Sealer:
    return Sealer(keyring, link_domain, account=account, profile=profile)


def request(click: Sealer, number: int, link_domain: str = LINK_DOMAIN) -> bytes:
    """A click, as bytes."""
    token = click.click(send_id(number), 0, destination(number))
    return f"GET /c/{token} HTTP/1.1\r\nHost: {link_domain}\r\n{_HEADERS}".encode()


def redirects(answer: bytes, number: int) -> bool:
    """Whether the head of an answer leads where the click should."""
    return answer.startswith(b"HTTP/1.1 302 ") and f"\r\nLocation: {destination(number)}\r\n".encode() in answer


class Connection:
    """One reader's connection; connects when it has to."""

    def __init__(self, port: int, seconds: float = ANSWER_SECONDS, host: str = "127.0.0.1") -> None:
        self._address = (host, port)
        self._seconds = seconds
        self._socket: socket.socket | None = None
        self._buffer = b""
        self.used = False
        """It has brought an answer before."""

    def ask(self, requests: list[bytes]) -> Iterator[bytes]:
        """Send requests at once; the heads of their answers, as they come.

        Raises:
            OSError: the connection ended, or nothing came in time.
        """
        if self._socket is None:
            self._socket = self._open()
            self._buffer = b""
        self._socket.sendall(b"".join(requests))
        for _ in requests:
            while (end := self._buffer.find(b"\r\n\r\n")) < 0:
                part = self._socket.recv(65_536)
                if not part:
                    raise ConnectionResetError("closed")
                self._buffer += part
            head, self._buffer = self._buffer[: end + 2], self._buffer[end + 4 :]
            self.used = True
            yield head

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self.used = False

    def _open(self) -> socket.socket:
        opened = socket.create_connection(self._address, self._seconds)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened


class Readers:
    """Readers on threads, from `with` to its end.

    Args:
        port: of the edge.
        keyring: seals.
        readers: connections at once.
        first: number of the first click.
        pipelined: a reader may ask so many at once; how many is drawn each time.
        per_second: clicks of all readers together; 0: as fast as it goes.
        fresh: a new connection for every question.
        retries: ask once more, under new numbers, when a connection that was used before ends without an answer, as
            browsers and fronts do (RFC 9112, section 9.3.1).
        rng: draws.
    """

    def __init__(
        self,
        port: int,
        keyring: Keyring,
        *,
        readers: int = 4,
        first: int = 0,
        pipelined: int = PIPELINED_MAX,
        per_second: float = 0,
        fresh: bool = False,
        retries: bool = False,
        rng: Random,
    ) -> None:
        self._port = port
        self._sealer = sealer(keyring)
        self._numbers = itertools.count(first)
        self._pipelined = pipelined
        self._pause = readers / per_second if per_second else 0.0
        self._fresh = fresh
        self._retries = retries
        self.retried = 0
        """Questions asked again."""
        self._stop = threading.Event()
        self._answered = [array("Q") for _ in range(readers)]
        self._seconds = [array("d") for _ in range(readers)]
        self.cut_off = 0
        """Clicks asked and not answered, because their connection ended."""
        self.wrong: list[str] = []
        """Answers that were not the click's redirect."""
        self._threads = [
            threading.Thread(target=self._read, args=(reader, Random(rng.random())), daemon=True)
            for reader in range(readers)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self.stop()

    def pause(self, seconds: float) -> None:
        """Let them click for so long."""
        time.sleep(seconds)

    def stop(self) -> None:
        """Finish what is asked, and end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(ANSWER_SECONDS + 5)

    @property
    def count(self) -> int:
        """Clicks answered so far."""
        return sum(map(len, self._answered))

    def answered(self) -> array:
        """Their numbers."""
        return array("Q", itertools.chain.from_iterable(self._answered))

    def seconds(self) -> list[float]:
        """How long each question took to its last answer."""
        return sorted(itertools.chain.from_iterable(self._seconds))

    @property
    def asked(self) -> int:
        """One more than the highest number asked."""
        return next(self._numbers)

    def _read(self, reader: int, rng: Random) -> None:
        connection = self._connection(rng)
        while not self._stop.is_set():
            began = time.monotonic()
            questions = rng.randint(1, self._pipelined)
            self._ask(connection, reader, questions, rng)
            if self._fresh:
                connection.close()
            rest = self._pause * questions - (time.monotonic() - began)
            if rest > 0:
                self._stop.wait(rest)
        connection.close()

    def _ask(self, connection: Connection, reader: int, questions: int, rng: Random) -> None:
        began = time.monotonic()
        while True:
            numbers = [next(self._numbers) for _ in range(questions)]
            done = 0
            try:
                for head in connection.ask([self._request(number, rng) for number in numbers]):
                    if redirects(head, numbers[done]):
                        self._answered[reader].append(numbers[done])
                    else:
                        self.wrong.append(head.decode("latin-1"))
                    done += 1
            except OSError:
                again = not done and self._asks_again(connection, time.monotonic() - began)
                connection.close()
                if not again:
                    self.cut_off += questions - done
                    self._stop.wait(0.01)
                    return
                self.retried += 1
            else:
                self._seconds[reader].append(time.monotonic() - began)
                return

    def _connection(self, _: Random) -> Connection:
        """One for each reader."""
        return Connection(self._port)

    def _request(self, number: int, _: Random) -> bytes:
        """The click of that number."""
        return request(self._sealer, number)

    def _asks_again(self, connection: Connection, _: float) -> bool:
        """Whether to ask once more when nothing was answered; given the seconds since it asked first."""
        return self._retries and connection.used


def click_once(port: int, keyring: Keyring, number: int, seconds: float = ANSWER_SECONDS) -> bool:
    """One click on a new connection; whether it was redirected to its destination."""
    with suppress(OSError), closing(Connection(port, seconds)) as connection:
        return any(redirects(head, number) for head in connection.ask([request(sealer(keyring), number)]))
    return False
