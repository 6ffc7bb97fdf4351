"""The API's server starts, stops and fails as a part of the core process should."""

import asyncio
import socket
from functools import partial

import httpx
import pytest
from fastapi import FastAPI
from tests.ports import free_ports

from waypost.config.values import HostPort
from waypost.control.process import CannotListenError, serve, when_listening


def an_app():
    app = FastAPI()

    @app.get("/now")
    async def now() -> str:
        return "now"

    @app.get("/slow")
    async def slow() -> str:
        app.state.begun.set()
        await asyncio.sleep(0.3)
        return "done"

    return app


async def answered(client, path, seconds=60):
    """The answer, once something listens."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await client.get(path)
            except httpx.ConnectError:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_it_listens_where_it_is_told_and_stops_when_asked_even_with_idle_connections(host):
    async def run():
        listen = HostPort(host, *free_ports(1))
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(an_app(), listen, stop))
        async with httpx.AsyncClient(base_url=f"http://{listen}") as client:
            first = await answered(client, "/now")
            stop.set()
            async with asyncio.timeout(60):
                await serving
            with pytest.raises(httpx.TransportError):
                await client.get("/now")
        return first.json()

    assert asyncio.run(run()) == "now"


def test_a_request_under_way_is_finished_before_it_stops():
    async def run():
        app, stop, listen = an_app(), asyncio.Event(), HostPort("127.0.0.1", *free_ports(1))
        app.state.begun = asyncio.Event()
        serving = asyncio.create_task(serve(app, listen, stop))
        async with httpx.AsyncClient(base_url=f"http://{listen}") as client:
            await answered(client, "/now")
            asking = asyncio.create_task(client.get("/slow"))
            await app.state.begun.wait()
            stop.set()
            answer = await asking
            await serving
        return answer.status_code, answer.json()

    assert asyncio.run(run()) == (200, "done")


def test_an_address_that_is_taken_is_an_error_that_names_it():
    async def run():
        with socket.create_server(("127.0.0.1", 0)) as taken:
            listen = HostPort("127.0.0.1", taken.getsockname()[1])
            with pytest.raises(CannotListenError, match=str(listen.port)):
                await serve(an_app(), listen, asyncio.Event())

    asyncio.run(run())


@pytest.mark.parametrize("shared", [False, True])
def test_an_address_of_another_machine_is_an_error_in_a_line(shared):
    with pytest.raises(CannotListenError) as refused:
        asyncio.run(serve(an_app(), HostPort("192.0.2.1", *free_ports(1)), asyncio.Event(), shared=shared))
    assert "\n" not in str(refused.value)


def test_an_address_that_others_share_can_be_had_by_who_shares_it_only():
    async def run():
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            other.bind(("127.0.0.1", 0))
            other.listen()
            listen = HostPort("127.0.0.1", other.getsockname()[1])
            stop = asyncio.Event()
            stop.set()
            async with asyncio.timeout(5):
                await serve(an_app(), listen, stop, shared=True)
            with pytest.raises(CannotListenError, match=str(listen.port)):
                await serve(an_app(), listen, stop)

    asyncio.run(run())


def test_it_can_be_told_to_stop_before_it_has_begun():
    async def run():
        stop = asyncio.Event()
        stop.set()
        async with asyncio.timeout(60):
            await serve(an_app(), HostPort("127.0.0.1", *free_ports(1)), stop)

    asyncio.run(run())


def test_who_waits_for_it_to_listen_is_told_when_it_never_will():
    async def run():
        [port] = free_ports(1)
        stop = asyncio.Event()
        waiting = asyncio.create_task(when_listening(partial(asyncio.open_connection, "127.0.0.1", port), stop))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        stop.set()
        async with asyncio.timeout(60):
            return await waiting

    assert asyncio.run(run()) is False


def test_when_it_is_cancelled_it_stops_listening():
    async def run():
        listen = HostPort("127.0.0.1", *free_ports(1))
        serving = asyncio.create_task(serve(an_app(), listen, asyncio.Event()))
        async with httpx.AsyncClient(base_url=f"http://{listen}") as client:
            await answered(client, "/now")
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving
            with pytest.raises(httpx.TransportError):
                await client.get("/now")

    asyncio.run(run())


def test_clients_that_keep_their_connections_keep_nobody_else_out():
    async def run():
        listen = HostPort("127.0.0.1", *free_ports(1))
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(an_app(), listen, stop))
        async with httpx.AsyncClient(base_url=f"http://{listen}") as client:
            await answered(client, "/now")
        kept = [await asyncio.open_connection(listen.host, listen.port) for _ in range(300)]
        for reader, writer in kept:
            writer.write(b"GET /now HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert await asyncio.wait_for(reader.readline(), 60) == b"HTTP/1.1 200 OK\r\n"
        for _, writer in kept:
            writer.close()
        stop.set()
        await serving

    asyncio.run(run())
