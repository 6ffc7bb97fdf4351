"""Sockets between a client and a connection, real ones: nothing is lost, and nobody is read who does not read."""

import asyncio
import gc
import logging
import select
import socket
import struct
import weakref
from contextlib import asynccontextmanager, suppress

import pytest

from waypost.edge.answer import Answer
from waypost.edge.http1 import Clock, Connection, OpenConnections
from waypost.edge.loop import run
from waypost.edge.stream import UNSENT_BYTES_MAX

GET = b"GET /c/x HTTP/1.1\r\nHost: links.example.com\r\n\r\n"
SMALL = Answer(200, (), b"x")
LARGE = Answer(200, (), bytes(300_000))
"""More than a socket takes at once, here with the buffers that `served` gives it."""
BUFFER_BYTES = 16_384


class Served:
    """A client's socket, and what the server makes of it."""

    def __init__(self, client, connections, held):
        self.client = client
        self.connections = connections
        self.held = held
        """Functions that answer, when the handler holds its answers."""

    async def read(self, count):
        loop = asyncio.get_running_loop()
        data = bytearray()
        while len(data) < count and (piece := await loop.sock_recv(self.client, 65_536)):
            data += piece
        return data

    async def read_all(self):
        return await self.read(float("inf"))

    async def send(self, data):
        await asyncio.get_running_loop().sock_sendall(self.client, data)
        await turns()

    async def gone(self):
        await until(lambda: not self.connections)


async def turns():
    """What is ready is done: the event loop looks at sockets once a turn."""
    for _ in range(5):
        await asyncio.sleep(0)


async def until(condition):
    while not condition():  # noqa: ASYNC110 -- what changes it knows no event
        await asyncio.sleep(0.001)


@asynccontextmanager
async def served(streams, answer=SMALL, *, hold=False):
    held = []
    connections = OpenConnections()

    def handler(_request, reply):
        if hold:
            held.append(lambda: reply(answer))
        else:
            reply(answer)

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
    client.connect(listener.getsockname())
    accepted, address = listener.accept()
    with listener, client:
        client.settimeout(0)
        accepted.settimeout(0)
        connection = Connection(handler, connections, Clock(lambda: 0.0), lambda: 0.0)
        streams.open(accepted, address[0], connection)
        async with asyncio.timeout(60):
            yield Served(client, connections, held)


def test_requests_are_answered_one_after_the_other():
    async def scenario(streams):
        async with served(streams) as one:
            for _ in range(3):
                await one.send(GET)
                assert (await one.read(1)).startswith(b"HTTP/1.1 200 ")
            assert len(one.connections) == 1

    run(scenario)


def test_small_answers_are_sent_at_once():
    """Nagle's algorithm would hold one back until the client has confirmed the one before."""

    async def scenario(streams):
        listener = socket.create_server(("127.0.0.1", 0))
        with listener, socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            accepted.settimeout(0)
            connection = Connection(lambda *_: None, OpenConnections(), Clock(lambda: 0.0), lambda: 0.0)
            streams.open(accepted, "", connection)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            connection.expire(float("inf"))
            await turns()

    run(scenario)


def test_an_answer_that_the_client_takes_slowly_arrives_whole():
    async def scenario(streams):
        async with served(streams, LARGE) as one:
            await one.send(GET)
            for _ in range(2):
                got = await one.read(len(LARGE.body) + 80)
                assert got.partition(b"\r\n\r\n")[2].startswith(LARGE.body[:1000])
                assert got.count(b"\0") == len(LARGE.body)
                await one.send(GET)

    run(scenario)


def test_who_does_not_read_answers_is_not_read_from():
    async def scenario(streams):
        async with served(streams, LARGE) as one:
            loop = asyncio.get_running_loop()
            request = GET.replace(b"\r\n\r\n", b"\r\nCookie: %b\r\n\r\n" % bytes(4000).replace(b"\0", b"x"))
            sent = 0
            with suppress(TimeoutError):
                while True:
                    await asyncio.wait_for(loop.sock_sendall(one.client, request), 0.5)
                    sent += 1
            assert len(one.connections) == 1
            # All the same everything that was asked is answered.
            one.client.shutdown(socket.SHUT_WR)
            got = await one.read_all()
            assert got.count(b"HTTP/1.1 200 OK") == sent
            await one.gone()

    assert len(LARGE.body) > UNSENT_BYTES_MAX
    run(scenario)


def test_a_client_that_has_said_all_gets_its_answer():
    async def scenario(streams):
        async with served(streams, hold=True) as one:
            await one.send(GET)
            one.client.shutdown(socket.SHUT_WR)
            await turns()
            one.held[0]()
            assert (await one.read_all()).startswith(b"HTTP/1.1 200 ")
            await one.gone()

    run(scenario)


def test_the_last_answer_is_followed_by_the_end():
    async def scenario(streams):
        async with served(streams, LARGE) as one:
            await one.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            got = await one.read_all()
            assert got.count(b"\0") == len(LARGE.body)
            one.client.close()
            await one.gone()

    run(scenario)


def test_a_client_that_leaves_without_a_word_is_gone():
    async def scenario(streams):
        async with served(streams) as one:
            await one.send(GET)
            one.client.close()
            await one.gone()

    run(scenario)


@pytest.mark.parametrize("answer", [SMALL, LARGE])
def test_a_client_that_resets_is_gone_and_its_answer_goes_nowhere(answer):
    async def scenario(streams):
        async with served(streams, answer, hold=True) as one:
            await one.send(GET)
            one.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.client.close()
            one.held[0]()
            await one.gone()

    run(scenario)


def test_a_client_that_resets_while_it_is_answered_is_gone():
    async def scenario(streams):
        async with served(streams, LARGE) as one:
            await one.send(GET)
            one.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.client.close()
            await one.gone()

    run(scenario)


def test_a_fault_of_ours_costs_one_connection(caplog):
    async def scenario(streams):
        connections = OpenConnections()

        def broken():
            raise ZeroDivisionError

        listener = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        with listener, client:
            accepted.settimeout(0)
            connection = Connection(lambda *_: None, connections, Clock(lambda: 0.0), Sometimes(broken))
            streams.open(accepted, "", connection)
            with caplog.at_level(logging.ERROR, logger="waypost.edge.stream"):
                client.sendall(GET)
                await until(lambda: not connections)
        assert "ZeroDivisionError" in caplog.text

    run(scenario)


class Sometimes:
    """A clock that fails, but not the first time."""

    def __init__(self, fails):
        self._fails = fails
        self._asked = False

    def __call__(self):
        if self._asked:
            self._fails()
        self._asked = True
        return 0.0


@asynccontextmanager
async def connected(streams, monotonic):
    """A client's socket and the connections on the other side; the caller's clock is in one place only."""
    connections = OpenConnections()
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    accepted, _ = listener.accept()
    accepted.settimeout(0)
    connection = Connection(lambda _request, reply: reply(SMALL), connections, Clock(lambda: 0.0), monotonic)
    del monotonic
    streams.open(accepted, "", connection)
    del accepted, connection
    with listener, client:
        yield client, connections


@pytest.mark.parametrize("linger", [(0, 0), (1, 0)], ids=["closed", "reset"])
def test_a_connection_that_is_gone_is_freed_without_the_garbage_collector(linger):
    async def scenario(streams):
        # Only the connection has it. One that is compiled cannot be referred to weakly itself.
        clocks = [Sometimes(lambda: None)]
        its_clock = weakref.ref(clocks[0])
        gc.disable()
        try:
            async with connected(streams, clocks.pop()) as (client, connections):
                client.sendall(GET)
                await until(lambda: select.select([client], [], [], 0)[0])
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", *linger))
                client.close()
                await until(lambda: not connections)
                await turns()
                assert its_clock() is None
        finally:
            gc.enable()

    run(scenario)


def test_a_socket_that_cannot_be_watched_any_more_is_closed_all_the_same():
    async def scenario(streams):
        async with connected(streams, lambda: 0.0) as (_client, connections):
            [connection] = connections._open
            connection._transport.pause_reading()
            streams._epoll.register(connection._transport._descriptor, 0)
            with pytest.raises(FileExistsError):
                connection._transport.resume_reading()
            connections.expire(float("inf"))
            await turns()
            assert not connections

    run(scenario)
