"""Clients that cost: `python -m torture.crowd PORT IDLE TRICKLING`. Says `there` once all are; ends with its stdin.

Idle ones ask once and keep the connection. Trickling ones send a request a byte a second. Who is closed comes again.
"""

import asyncio
import itertools
import resource
import sys
from contextlib import closing, suppress

CONNECTING_MAX = 200
SOURCES = 50
"""Loopback addresses to connect from: each has some 28,000 ports, and closed connections keep theirs for a minute."""
TRICKLE_SECONDS = 1.0
REQUEST = b"GET /robots.txt HTTP/1.1\r\nHost: localhost\r\nUser-Agent: slow\r\nAccept: text/html\r\n\r\n"


class Crowd:
    """Connections from many addresses, not too many being made at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._room = asyncio.Semaphore(CONNECTING_MAX)
        self._sources = itertools.count()

    async def be_idle(self, there: asyncio.Event) -> None:
        """Ask once, and wait to be closed."""
        while True:
            reader, writer = await self._come(there)
            with suppress(OSError), closing(writer):
                writer.write(REQUEST)
                while await reader.read(4_096):
                    pass

    async def trickle(self, there: asyncio.Event) -> None:
        """Ask, never to the end, a byte at a time."""
        while True:
            reader, writer = await self._come(there)
            with suppress(OSError), closing(writer):
                for byte in REQUEST[:-1]:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(TRICKLE_SECONDS)
                    if reader.at_eof() or writer.is_closing():
                        break

    async def _come(self, there: asyncio.Event) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with self._room:
            source = (f"127.0.1.{1 + next(self._sources) % SOURCES}", 0)
            streams = await asyncio.open_connection("127.0.0.1", self._port, local_addr=source, limit=4_096)
        there.set()
        return streams


async def main(port: int, idle: int, trickling: int) -> None:
    """Until stdin ends."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (idle + trickling + 1_000,) * 2)
    crowd = Crowd(port)
    there = [asyncio.Event() for _ in range(idle + trickling)]
    kinds = [crowd.be_idle] * idle + [crowd.trickle] * trickling
    tasks = [asyncio.create_task(kind(event)) for kind, event in zip(kinds, there, strict=True)]
    for event in there:
        await event.wait()
    print("there", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


asyncio.run(main(*map(int, sys.argv[1:4])))
