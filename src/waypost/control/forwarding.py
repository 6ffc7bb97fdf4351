"""What API workers do not answer themselves is answered by the core: ASGI over a Unix socket.

A connection carries one request. What goes over it are the messages of ASGI, each as MessagePack behind its length in
four bytes, so that nothing has to be read as HTTP twice. An answer is whole when its last message has come; a
connection that closes before says that the other side is gone. Who may open the socket's file may say who a request
comes from: keep it in a directory of one's own.
"""

import asyncio
import contextlib
import logging
import struct
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from waypost.control.boundary import refusal
from waypost.control.errors import UnavailableError
from waypost.control.process import CONNECTIONS, GRACE_SECONDS, beginning_to_listen

_log = logging.getLogger(__name__)

_LENGTH: Final = struct.Struct(">I")
_READ_BYTES: Final = 65_536
_RETRY_SECONDS: Final = 2
"""A core that was killed is back by then."""

_Headers = list[tuple[bytes, bytes]]
_Kind = TypeVar("_Kind")


class _Request(Struct, frozen=True, array_like=True):
    """How a request begins. Fields as in ASGI's scope; `client` is the address alone."""

    method: str
    scheme: str
    http_version: str
    path: str
    raw_path: bytes
    query_string: bytes
    headers: _Headers
    client: str


class _Start(Struct, frozen=True, array_like=True):
    """How an answer begins."""

    status: int
    headers: _Headers


class _Body(Struct, frozen=True, array_like=True):
    """A piece of a request or of an answer."""

    data: bytes
    more: bool


class BrokenAnswerError(Exception):
    """The core went away in the middle of an answer; raised so that the server breaks it off, and its end is missed."""


class Forwarder:
    """An ASGI app whose answers are the core's.

    Args:
        socket: path of the core's socket; it may come and go.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have a request answered; 503 while there is no core.

        Raises:
            BrokenAnswerError: only the beginning of an answer came.
        """
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except OSError as error:
            _log.error("a request could not be forwarded to the core: %s", error)
            await _NO_CORE(scope, receive, send)
            return
        telling = asyncio.create_task(_tell(scope, receive, writer))
        begun = False
        try:
            start = await _received(reader, _Start)
            begun = True
            await send({"type": "http.response.start", "status": start.status, "headers": start.headers})
            more = True
            while more:
                body = await _received(reader, _Body)
                more = body.more
                await send({"type": "http.response.body", "body": body.data, "more_body": more})
        except (asyncio.IncompleteReadError, OSError) as error:
            if telling.done() and telling.result():  # the client is gone, and so we broke off
                return
            _log.error("the core did not answer a request to its end")
            if begun:
                raise BrokenAnswerError from error
            await _NO_CORE(scope, receive, send)
        finally:
            telling.cancel()
            writer.transport.abort()


_NO_CORE: Final = refusal(UnavailableError("the core does not answer", retry_after_seconds=_RETRY_SECONDS))


async def _tell(scope: Scope, receive: Receive, writer: asyncio.StreamWriter) -> bool:
    """Send all of a request, then wait for the client to go away, which closes the connection: True."""
    with contextlib.suppress(ConnectionError):  # what the core says, or that it says nothing, is seen by who reads
        client = scope["client"]
        request = _Request(
            scope["method"],
            scope["scheme"],
            scope["http_version"],
            scope["path"],
            scope["raw_path"],
            scope["query_string"],
            list(scope["headers"]),
            client[0] if client else "",
        )
        await _write(writer, request)
        while (message := await receive())["type"] == "http.request":
            await _write(writer, _Body(message.get("body", b""), message.get("more_body", False)))
        writer.transport.abort()
        return True
    return False


async def serve_forwarded(app: ASGIApp, socket: Path, stop: asyncio.Event) -> None:
    """Answer what workers forward until `stop` is set, then finish what is under way and return.

    Args:
        app: answers as it would at the port.
        socket: where to listen; one that a killed core has left is replaced.
        stop: set it to end.

    Raises:
        CannotListenError: it cannot be listened on.
    """
    under_way: set[asyncio.Task[Any]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a coroutine runs in one
        under_way.add(task)
        try:
            await _answer(app, reader, writer)
        finally:
            under_way.discard(task)
            writer.close()

    with beginning_to_listen():
        server = await asyncio.start_unix_server(answer, socket, backlog=CONNECTIONS)
    try:
        await stop.wait()
    finally:
        server.close()
        if under_way:
            await asyncio.wait(under_way, timeout=GRACE_SECONDS)
        for task in under_way:
            task.cancel()


async def _answer(app: ASGIApp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        request = await _received(reader, _Request)
    except (asyncio.IncompleteReadError, OSError):
        return  # who looks whether somebody listens says nothing
    whole = False

    async def receive() -> Message:
        try:
            body = await _received(reader, _Body)  # after the last one there is none: the end of the connection is next
        except (asyncio.IncompleteReadError, OSError):
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body.data, "more_body": body.more}

    async def send(message: Message) -> None:
        nonlocal whole
        with contextlib.suppress(ConnectionError):  # `receive` says so
            if message["type"] == "http.response.start":
                await _write(writer, _Start(message["status"], list(message.get("headers", ()))))
            else:
                whole = not message.get("more_body", False)
                await _write(writer, _Body(message.get("body", b""), not whole))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": request.method,
        "scheme": request.scheme,
        "http_version": request.http_version,
        "path": request.path,
        "raw_path": request.raw_path,
        "query_string": request.query_string,
        "root_path": "",
        "headers": request.headers,
        "client": (request.client, 0) if request.client else None,
        "server": None,
    }
    try:
        await app(scope, receive, send)
    except Exception:  # noqa: BLE001 -- a fault of one request
        if not whole:  # else it was answered as a fault, which is in the log
            _log.exception("the answer to %s %s broke off", request.method, request.path)
    if whole:  # who still sends would see the connection break, and not what it was answered
        with contextlib.suppress(OSError):
            while await reader.read(_READ_BYTES):
                pass


async def _write(writer: asyncio.StreamWriter, frame: Struct) -> None:
    data = msgspec.msgpack.encode(frame)
    writer.write(_LENGTH.pack(len(data)) + data)
    await writer.drain()


async def _received(reader: asyncio.StreamReader, kind: type[_Kind]) -> _Kind:
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return msgspec.msgpack.decode(await reader.readexactly(length), type=kind)
