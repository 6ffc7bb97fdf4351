"""HTTP over one connection: what goes out, what is taken for an answer, and when the connection may be used again."""

import asyncio

import pytest

from waypost.webhooks.errors import BrokenExchangeError
from waypost.webhooks.exchange import Exchange

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEADERS = [("Host", "hooks.example"), ("Content-Length", "2")]


class Wire:
    """A transport that keeps what is written."""

    def __init__(self):
        self.written = []
        self.is_closed = False

    def write(self, data):
        self.written.append(data)

    def abort(self):
        self.is_closed = True

    close = abort


def exchange():
    wire, connection = Wire(), Exchange()
    connection.connection_made(wire)
    return wire, connection


async def asked(connection, answer):
    """One request, with what a receiver does about it."""
    asyncio.get_running_loop().call_soon(answer)
    head = await connection.ask("/in?a=1", HEADERS, b"{}")
    body = await connection.beginning(1024)
    connection.ends()
    return head.status_code, body


def test_head_and_body_go_out_in_one_write_and_the_connection_serves_again():
    async def scenario():
        wire, connection = exchange()
        for _ in range(2):
            assert await asked(connection, lambda: connection.data_received(OK)) == (200, b"ok")
            assert connection.is_open
        one = b"POST /in?a=1 HTTP/1.1\r\nHost: hooks.example\r\nContent-Length: 2\r\n\r\n{}"
        assert wire.written == [one, one]

    asyncio.run(scenario())


def test_what_nobody_asked_for_is_no_answer_to_what_is_asked_next():
    async def scenario(answer, unasked):
        wire, connection = exchange()
        assert await asked(connection, lambda: connection.data_received(answer)) == (200, b"ok")
        if unasked:
            connection.data_received(unasked)
        return wire.is_closed, connection.is_open

    assert asyncio.run(scenario(OK, OK)) == (True, False)
    assert asyncio.run(scenario(OK + OK, b"")) == (True, False)
    assert asyncio.run(scenario(OK, b"")) == (False, True)


def test_an_answer_that_was_not_read_to_its_end_ends_the_connection():
    async def scenario():
        wire, connection = exchange()
        long = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 2000
        status, body = await asked(connection, lambda: connection.data_received(long))
        return status, len(body) >= 1024, wire.is_closed

    assert asyncio.run(scenario()) == (200, True, True)


def test_an_answer_may_end_with_its_connection():
    async def scenario():
        _, connection = exchange()

        def answer():
            connection.data_received(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n\r\nok")
            connection.eof_received()
            connection.connection_lost(None)

        return await asked(connection, answer), connection.is_open

    assert asyncio.run(scenario()) == ((200, b"ok"), False)


@pytest.mark.parametrize(
    ("came", "error"),
    [
        (b"", None),
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
        (b"", ConnectionResetError("reset")),
        (b"220 mail.example ESMTP\r\n\r\n", None),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nx: " + b"x" * 70_000, None),
    ],
    ids=("closed", "half", "reset", "no HTTP", "another protocol", "endless"),
)
def test_what_is_no_answer_is_said_to_be_none(came, error):
    async def scenario():
        _, connection = exchange()

        def answer():
            if came:
                connection.data_received(came)
            if error is None:
                connection.eof_received()
            connection.connection_lost(error)

        await asked(connection, answer)

    with pytest.raises(BrokenExchangeError, match=r"\w"):
        asyncio.run(scenario())
