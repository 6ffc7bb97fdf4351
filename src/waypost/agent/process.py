"""Composition root of the agent: the one process beside the workers of a machine that does everything but answer."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable

from waypost.agent.app import AgentApp
from waypost.agent.watch import Watch
from waypost.config import Settings
from waypost.edge.app import listening_socket, serve
from waypost.edge.process import worker_name

CONNECTIONS_MAX = 256
"""Of a TLS front, a scraper and a probe."""


def run(settings: Settings, *, listener: int | None = None, on_ready: Callable[[], None] = lambda: None) -> None:
    """Serve the internal listener until SIGTERM or SIGINT.

    Args:
        settings: of the install; `edge.workers` are expected to run.
        listener: descriptor of a listening socket that outlives this process; none: it listens for itself.
        on_ready: called once requests are answered.

    Raises:
        OSError: the address to listen on cannot be had.
    """
    asyncio.run(_run(settings, listener, on_ready))


async def _run(settings: Settings, listener: int | None, on_ready: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listening = (
        listening_socket(settings.edge.internal_listen, shared=False)
        if listener is None
        else socket.socket(fileno=listener)
    )
    watch = Watch(
        settings.data, tuple(worker_name(settings, worker) for worker in range(settings.edge.workers)), time.time
    )
    app = AgentApp(watch, lambda: None, settings.edge.link_domains, time.time)
    watch.start()
    try:
        serving = loop.create_task(serve(app.handle, listening, stop, time.time, connections_max=CONNECTIONS_MAX))
        loop.call_soon(on_ready)
        await serving
    finally:
        watch.stop()
