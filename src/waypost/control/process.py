"""Serves the API in the event loop of the process it runs in, beside pipeline and mail."""

import asyncio

from fastapi import FastAPI
from granian.constants import Interfaces
from granian.server.embed import Server

from waypost.config.values import HostPort

# How long requests under way may take when the process stops.
GRACE_SECONDS = 10


async def serve(app: FastAPI, listen: HostPort, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then finish what is under way and return.

    Raises:
        OSError: the address cannot be listened on.
        RuntimeError: the server ended by itself.
    """
    server = Server(
        app,
        address=listen.host,
        port=listen.port,
        interface=Interfaces.ASGINL,  # no lifespan: what the app needs is there before it
        websockets=False,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait_for(serving, GRACE_SECONDS)
    elif not stop.is_set():
        await serving
        raise RuntimeError(f"the API server on {listen} ended by itself")
