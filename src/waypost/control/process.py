"""Serves the API in the event loop of the process it runs in, beside pipeline and mail."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.types import ASGIApp

from waypost.config.values import HostPort
from waypost.telemetry.ports import check_free

# How long requests under way may take when the process stops.
GRACE_SECONDS = 10

# As many as Granian takes when it is not embedded; then it is 128, idle ones too, and whoever comes next waits for one
# of them to go: the system tries again after 1, 3, 7, 15 and 31 seconds. A connection takes a few KB.
CONNECTIONS = 1024

# Between looks at whether somebody listens; only while starting.
_LOOK_SECONDS = 0.02

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class CannotListenError(OSError):
    """The address or socket that a server is to listen at cannot be had."""


@contextmanager
def beginning_to_listen() -> Iterator[None]:
    """Whatever the system refuses in here is a CannotListenError: other parts of a process fail with OSError, too."""
    try:
        yield
    except OSError as error:
        raise CannotListenError(*error.args) from error


async def serve(app: ASGIApp, listen: HostPort, stop: asyncio.Event, *, shared: bool = False) -> None:
    """Serve until `stop` is set, then finish what is under way and return.

    Args:
        app: answers.
        listen: where.
        stop: set it to end.
        shared: others of this user serve there as well: the kernel spreads connections over them.

    Raises:
        CannotListenError: the host name is unknown, or the address cannot be listened on.
        RuntimeError: the server ended by itself.
    """
    with beginning_to_listen():
        address = await _address(listen)
        check_free(address, listen.port, shared=shared)
    server = Server(
        app,
        address=address,
        port=listen.port,
        interface=Interfaces.ASGINL,  # no lifespan: what the app needs is there before it
        websockets=False,
        backlog=CONNECTIONS,
        backpressure=CONNECTIONS,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:  # also when cancelled: the server would go on answering
        stopping.cancel()
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait({serving}, timeout=GRACE_SECONDS)
        serving.cancel()
    if serving.done():
        serving.result()
    if not stop.is_set():
        raise RuntimeError(f"the API server on {listen} ended by itself")


async def when_listening(connect: Connect, stop: asyncio.Event) -> bool:
    """True once somebody listens there; False when `stop` is set before."""
    while not stop.is_set():
        try:
            _, writer = await connect()
        except OSError:
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            writer.close()
            return True
    return False


async def _address(listen: HostPort) -> str:
    """The IP address to listen on: Granian takes no names. IPv4 first, as `localhost` is meant by most clients."""
    found = await asyncio.get_running_loop().getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)
    families = sorted(found, key=lambda entry: entry[0] is not socket.AF_INET)
    return str(families[0][4][0])
