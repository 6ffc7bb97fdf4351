"""Receivers on loopback that do what they are told, and remember what they got."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field


@dataclass
class Request:
    """One that came."""

    head: bytes
    body: bytes
    at: float

    @property
    def headers(self):
        lines = self.head.decode().split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name}


@dataclass
class Receiver:
    """A server whose `answer(request, writer)` may do anything."""

    answer: object
    requests: list[Request] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    port: int = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/in?a=1"

    @property
    def ids(self):
        return [request.headers["webhook-id"] for request in self.requests]

    async def _serve(self, reader, writer):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                request = Request(head[:-4], b"", asyncio.get_running_loop().time())
                request.body = await reader.readexactly(int(request.headers["content-length"]))
                self.requests.append(request)
                await self.answer(request, writer)
                await writer.drain()
                if writer.is_closing():
                    break
        # A cancelled handler is no error, but to the streams of Python 3.11.
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.at_once -= 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def receiving(answer, port=0, host="127.0.0.1", tls=None):
    """A receiver, until the block ends."""
    receiver = Receiver(answer)
    server = await asyncio.start_server(receiver._serve, host, port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


def status(code, *headers, body=b""):
    """Answers with this."""
    lines = [f"HTTP/1.1 {code} x", f"Content-Length: {len(body)}", *headers, "", ""]

    async def answer(_request, writer):
        writer.write("\r\n".join(lines).encode() + body)

    return answer


def late(seconds, then):
    """Answers so much later."""

    async def answer(request, writer):
        await asyncio.sleep(seconds)
        await then(request, writer)

    return answer


def once(event, then):
    """Answers when that has come."""

    async def answer(request, writer):
        await event.wait()
        await then(request, writer)

    return answer


async def closes_early(_request, writer):
    writer.close()


async def resets_after_200(_request, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthank")
    await writer.drain()
    # What is closed with nothing to wait for is reset (socket(7)).
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def half_an_answer(_request, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    await writer.drain()
    writer.close()


async def endless_headers(_request, writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x-more: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


async def dripping_headers(_request, writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def informs_for_ever(_request, writer):
    while True:
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def huge_body(_request, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"\0" * 65536 + b"\r\n")
        await writer.drain()


async def dripping_body(_request, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def speaks_no_http(_request, writer):
    writer.write(b"220 mail.example ESMTP\r\n" * 100)
    await writer.drain()
    writer.close()
