"""What a worker forwards is answered by the core as if that stood at the port: a real server, a real socket."""

import asyncio
import contextlib
import socket as sockets

import httpx
import pytest
from tests.ports import free_ports

from waypost.config.values import HostPort
from waypost.control.forwarding import Forwarder, _Body, _received, _Request, _Start, _write, serve_forwarded
from waypost.control.process import serve, when_listening

SECONDS = 60
PIECE = b"x" * 100_000


@contextlib.asynccontextmanager
async def forwarded(app, socket):
    """A client of a port behind which there is a core with `app`; and what stops that core, when awaited."""
    stop_core, stop_worker = asyncio.Event(), asyncio.Event()
    listen = HostPort("127.0.0.1", *free_ports(1))
    core = asyncio.create_task(serve_forwarded(app, socket, stop_core))
    worker = asyncio.create_task(serve(Forwarder(socket), listen, stop_worker, shared=True))

    async def stopped():
        stop_core.set()
        await core

    async with asyncio.timeout(SECONDS), httpx.AsyncClient(base_url=f"http://{listen}", timeout=SECONDS) as client:
        while True:
            with contextlib.suppress(httpx.ConnectError):
                if (await client.get("/ready")).status_code != 503:
                    break
            await asyncio.sleep(0.01)
        try:
            yield client, stopped
        finally:
            stop_worker.set()
            await worker
            await stopped()


async def answer(send, body=b"", *, status=200, headers=(), more=False):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body, "more_body": more})


@pytest.fixture
def socket(tmp_path_factory):
    return tmp_path_factory.mktemp("s") / "core"


def test_the_core_sees_the_request_as_it_came_and_from_whom(socket):
    seen = []

    async def app(scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        seen.append((scope, body))
        await answer(send, b"made", status=201, headers=[(b"link", b"<a>"), (b"link", b"<b>")])

    async def run():
        async with forwarded(app, socket) as (client, _):
            headers = [("X-Several", "1"), ("X-Several", "2"), ("X-Latin", "\u00e9".encode("latin-1"))]
            return await client.patch("/a%2Fb/c?q=%20d&q=e", content=PIECE * 20, headers=headers)

    answered = asyncio.run(run())
    assert (answered.status_code, answered.content, answered.headers.get_list("link")) == (201, b"made", ["<a>", "<b>"])
    scope, body = seen[-1]
    assert body == PIECE * 20
    assert (scope["method"], scope["scheme"], scope["path"]) == ("PATCH", "http", "/a/b/c")
    assert scope["query_string"] == b"q=%20d&q=e"
    assert [value for name, value in scope["headers"] if name == b"x-several"] == [b"1", b"2"]
    assert (b"x-latin", b"\xe9") in scope["headers"]
    assert scope["client"][0] == "127.0.0.1"


def test_a_piece_of_an_answer_arrives_while_the_next_one_is_made(socket):
    arrived = asyncio.Event()

    async def app(scope, _receive, send):
        await answer(send, b"first", more=scope["path"] == "/long")
        if scope["path"] == "/long":
            await arrived.wait()
            await send({"type": "http.response.body", "body": b"second"})

    async def run():
        async with forwarded(app, socket) as (client, _), client.stream("GET", "/long") as streamed:
            pieces = streamed.aiter_raw()
            first = await anext(pieces)
            arrived.set()
            return first, [piece async for piece in pieces]

    assert asyncio.run(run()) == (b"first", [b"second"])


def test_an_answer_that_breaks_off_is_seen_to_break_off(socket):
    async def app(scope, _receive, send):
        await answer(send, b"half", more=scope["path"] == "/breaks")
        if scope["path"] == "/breaks":
            raise RuntimeError("in the middle")

    async def run():
        async with forwarded(app, socket) as (client, _):
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
                await client.get("/breaks")

    asyncio.run(run())


def test_a_fault_before_an_answer_is_a_503_and_one_after_it_changes_nothing(socket):
    async def app(scope, _receive, send):
        if scope["path"] != "/nothing":
            await answer(send, b"all")
        if scope["path"] != "/ready":
            raise RuntimeError("at once, or too late")

    async def run():
        async with forwarded(app, socket) as (client, _):
            return await client.get("/nothing"), await client.get("/late")

    nothing, late = asyncio.run(run())
    assert (nothing.status_code, nothing.json()["code"]) == (503, 50303)
    assert (late.status_code, late.content) == (200, b"all")


def test_a_client_that_goes_away_ends_what_it_asked_for(socket):
    gone = asyncio.Event()

    async def app(scope, receive, send):
        await answer(send, PIECE, more=scope["path"] == "/export")
        if scope["path"] == "/export":
            assert (await receive())["type"] == "http.request"
            assert await receive() == {"type": "http.disconnect"}
            gone.set()

    async def run():
        async with forwarded(app, socket) as (client, _):
            async with client.stream("GET", "/export") as streamed:
                await anext(streamed.aiter_raw())
            await gone.wait()

    asyncio.run(run())


def test_a_slow_client_holds_up_who_makes_its_answer(socket):
    sent = 0

    async def app(scope, _receive, send):
        nonlocal sent
        await answer(send, more=scope["path"] == "/export")
        if scope["path"] == "/export":
            for sent in range(1, 1001):  # 100 MB
                await send({"type": "http.response.body", "body": PIECE, "more_body": sent < 1000})

    async def run():
        async with forwarded(app, socket) as (client, _), client.stream("GET", "/export") as streamed:
            held_at = -1
            while held_at != sent:
                held_at = sent
                await asyncio.sleep(0.5)
            assert held_at < 500
            return sum([len(piece) async for piece in streamed.aiter_raw()])

    assert asyncio.run(run()) == 1000 * len(PIECE)


def test_who_still_sends_a_request_that_was_answered_unread_does_not_see_the_connection_break(socket):
    async def app(_scope, _receive, send):
        await answer(send, PIECE, status=413)

    async def run():
        async with forwarded(app, socket):
            reader, writer = await asyncio.open_unix_connection(socket)
            await _write(writer, _Request("POST", "http", "1.1", "/", b"/", b"", [], ""))
            async with asyncio.timeout(SECONDS):
                start, body = await _received(reader, _Start), await _received(reader, _Body)
            await asyncio.sleep(0.1)  # for the other side to be done with it
            for _ in range(20):
                await _write(writer, _Body(PIECE, more=True))
            writer.close()
            await writer.wait_closed()
            return start.status, len(body.data)

    assert asyncio.run(run()) == (413, len(PIECE))


def test_without_a_core_it_is_a_503_that_says_when_to_come_again_and_a_new_core_answers(socket):
    async def app(_scope, _receive, send):
        await answer(send, b"here")

    async def run():
        async with forwarded(app, socket) as (client, stopped):
            await stopped()
            without = await client.get("/")
            # What a killed one leaves behind.
            socket.unlink(missing_ok=True)
            with sockets.socket(sockets.AF_UNIX) as left:
                left.bind(str(socket))
            stale = await client.get("/")
            stop = asyncio.Event()
            core = asyncio.create_task(serve_forwarded(app, socket, stop))
            async with asyncio.timeout(SECONDS):
                assert await when_listening(lambda: asyncio.open_unix_connection(socket), stop)
            again = await client.get("/")
            stop.set()
            await core
            return without, stale, again

    without, stale, again = asyncio.run(run())
    assert [(each.status_code, each.headers["retry-after"]) for each in (without, stale)] == [(503, "2")] * 2
    assert without.json() == {"code": 50303, "message": "the core does not answer: try again later"}
    assert again.content == b"here"


def test_what_is_under_way_is_answered_before_a_core_stops(socket):
    begun = asyncio.Event()

    async def app(scope, _receive, send):
        if scope["path"] == "/slow":
            begun.set()
            await asyncio.sleep(0.3)
        await answer(send, b"done")

    async def run():
        async with forwarded(app, socket) as (client, stopped):
            asking = asyncio.create_task(client.get("/slow"))
            await begun.wait()
            await stopped()
            return (await asking).content

    assert asyncio.run(run()) == b"done"


def test_many_requests_at_once_each_get_their_own_answer(socket):
    async def app(scope, _receive, send):
        await asyncio.sleep(0.01)
        await answer(send, scope["query_string"])

    async def run():
        async with forwarded(app, socket) as (client, _):
            return await asyncio.gather(*(client.get(f"/?{number}") for number in range(200)))

    assert [each.content for each in asyncio.run(run())] == [str(number).encode() for number in range(200)]
