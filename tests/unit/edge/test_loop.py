"""asyncio around our sockets: each is looked after, whatever the other waits for."""

import asyncio
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from waypost.edge.answer import Answer
from waypost.edge.http1 import Clock, Connection, OpenConnections
from waypost.edge.loop import run
from waypost.edge.stream import TURN_MAX

GET = b"GET /c/x HTTP/1.1\r\nHost: links.example.com\r\n\r\n"


def connect(streams, connections, handler):
    """A client's socket, connected."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=60)
        accepted, _ = listener.accept()
    accepted.settimeout(0)
    streams.open(accepted, "", Connection(handler, connections, Clock(lambda: 0.0), lambda: 0.0))
    return client


def run_with_connections(scenario):
    """Run it, and close what is left."""

    async def main(streams):
        connections = OpenConnections()
        try:
            await scenario(streams, connections)
        finally:
            connections.expire(float("inf"))
            assert await connections.drain(60) == 0

    run(main)


def test_what_asyncio_watches_is_looked_after_though_a_socket_is_always_ready():
    async def scenario(streams, connections):
        loop = asyncio.get_running_loop()
        seen = asyncio.Queue()
        with connect(streams, connections, lambda _request, answer: answer(Answer(200, (), b"x"))) as client:

            def ask():
                while not done.is_set():
                    client.sendall(GET)
                    client.recv(65_536)

            done = threading.Event()
            asking = threading.Thread(target=ask)
            asking.start()
            ours, theirs = socket.socketpair()
            with ours, theirs:
                loop.add_reader(ours, lambda: seen.put_nowait(("read", ours.recv(1))))
                theirs.send(b"1")
                loop.call_later(0.01, seen.put_nowait, ("later", None))
                threading.Thread(target=loop.call_soon_threadsafe, args=(seen.put_nowait, ("thread", None))).start()
                async with asyncio.timeout(60):
                    got = {await seen.get() for _ in range(3)}
                loop.remove_reader(ours)
            done.set()
            await asyncio.to_thread(asking.join)
        assert got == {("read", b"1"), ("later", None), ("thread", None)}

    run_with_connections(scenario)


def test_what_asyncio_watches_waits_for_no_more_sockets_than_a_turn_looks_after():
    async def scenario(streams, connections):
        answered = []

        def handler(_request, answer):
            answered.append(None)
            answer(Answer(200, (), b"x"))

        before = asyncio.get_running_loop().create_future()
        with ExitStack() as clients:
            for _ in range(TURN_MAX + 50):
                client = connect(streams, connections, handler)
                clients.enter_context(client).sendall(GET)
            ours, theirs = socket.socketpair()
            with ours, theirs:
                theirs.send(b"1")
                asyncio.get_running_loop().add_reader(ours, lambda: before.done() or before.set_result(len(answered)))
                assert await before == TURN_MAX
                asyncio.get_running_loop().remove_reader(ours)

    run_with_connections(scenario)


async def after(seconds, event):
    await asyncio.sleep(seconds)
    event.set()


@pytest.mark.parametrize(
    "schedule",
    [
        lambda _streams, loop, event: loop.call_soon(event.set),
        lambda _streams, loop, event: loop.call_later(0.01, event.set),
        lambda _streams, loop, event: loop.create_task(after(0.01, event)),
        lambda streams, _loop, event: streams.call_soon(event.set),
        lambda streams, _loop, event: streams.call_soon(lambda: streams.call_soon(event.set)),
    ],
    ids=["soon", "later", "task", "ours", "ours of ours"],
)
def test_what_a_request_schedules_comes_though_nothing_else_happens(schedule):
    async def scenario(streams, connections):
        answered = asyncio.Event()

        def handler(_request, answer):
            schedule(streams, asyncio.get_running_loop(), answered)
            answer(Answer(200, (), b"x"))

        with connect(streams, connections, handler) as client:
            for _ in range(2):
                answered.clear()
                client.sendall(GET)
                async with asyncio.timeout(60):
                    await answered.wait()

    run_with_connections(scenario)


def test_what_is_called_soon_comes_after_all_sockets_of_a_turn_and_a_fault_in_it_is_its_own(caplog):
    async def scenario(streams, connections):
        order = []
        done = asyncio.Event()

        def handler(_request, answer):
            order.append("request")
            streams.call_soon(lambda: 1 // 0)
            streams.call_soon(lambda: order.append("soon"))
            if len(order) == 2:
                streams.call_soon(done.set)
            answer(Answer(200, (), b"x"))

        with ExitStack() as clients:
            for _ in range(2):
                clients.enter_context(connect(streams, connections, handler)).sendall(GET)
            async with asyncio.timeout(60):
                await done.wait()
        assert order == ["request", "request", "soon", "soon"]
        assert caplog.text.count("ZeroDivisionError") == 2

    run_with_connections(scenario)


def test_requests_that_ask_nothing_of_asyncio_cost_it_no_turn():
    async def scenario(streams, connections):
        loop = asyncio.get_running_loop()

        def ask(client):
            for _ in range(50):
                client.sendall(GET)
                assert client.recv(65_536)
            loop.call_soon_threadsafe(asked.set)

        asked = asyncio.Event()
        turns = []
        process_events = loop._process_events
        loop._process_events = lambda events: (turns.append(None), process_events(events))
        with connect(streams, connections, lambda _request, answer: answer(Answer(200, (), b"x"))) as client:
            threading.Thread(target=ask, args=(client,)).start()
            async with asyncio.timeout(60):
                await asked.wait()
        assert len(turns) < 10

    run_with_connections(scenario)


def test_a_connection_that_is_cut_off_is_gone_at_once_though_nothing_else_happens():
    async def scenario(streams, connections):
        with connect(streams, connections, lambda *_: None):
            begun = time.monotonic()
            connections.expire(float("inf"))
            assert await connections.drain(60) == 0
            assert time.monotonic() - begun < 10

    run_with_connections(scenario)
