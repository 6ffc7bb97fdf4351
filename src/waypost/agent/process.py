"""Composition root of the agent: the one process beside the workers of a machine that does everything but answer."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from random import SystemRandom

from waypost.agent.app import AgentApp
from waypost.agent.core import Core
from waypost.agent.facts import Facts
from waypost.agent.ship import Shipper
from waypost.agent.view import Remote
from waypost.agent.watch import Watch
from waypost.config import Settings
from waypost.edge.app import listening_socket, serve
from waypost.edge.loop import run as run_loop
from waypost.edge.process import spool_root, worker_name
from waypost.edge.stream import Streams

CONNECTIONS_MAX = 256
"""Of a TLS front, a scraper and a probe."""


def run(settings: Settings, *, listener: int | None = None, on_ready: Callable[[], None] = lambda: None) -> None:
    """Serve the internal listener, and speak with a core elsewhere, until SIGTERM or SIGINT.

    Args:
        settings: of the install; `edge.workers` are expected to run.
        listener: descriptor of a listening socket that outlives this process; none: it listens for itself.
        on_ready: called once requests are answered.

    Raises:
        NotConfigured: the core elsewhere cannot be spoken with as the settings are.
        OSError: the address to listen on cannot be had.
    """
    run_loop(lambda streams: _run(streams, settings, listener, on_ready))


async def _run(streams: Streams, settings: Settings, listener: int | None, on_ready: Callable[[], None]) -> None:
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
    link = _Link(settings, watch) if settings.edge.control_url else None
    app = AgentApp(watch, link or (lambda: None), settings.edge.link_domains, time.time)
    watch.start()
    if link is not None:
        link.start()
    try:
        serving = loop.create_task(
            serve(app.handle, listening, streams, stop, time.time, connections_max=CONNECTIONS_MAX)
        )
        loop.call_soon(on_ready)
        await serving
    finally:
        watch.stop()
        if link is not None:
            link.stop()


class _Link:
    """Everything that goes on with a core elsewhere, on threads of its own: none of it is waited for."""

    def __init__(self, settings: Settings, watch: Watch) -> None:
        core = Core(settings)
        chance = SystemRandom().random
        self._facts = Facts(core, settings.data, watch, wall=time.time, chance=chance)
        self._shipper = Shipper(
            core,
            spool_root(settings.data),
            settings.edge.name,
            keep_seconds=settings.spool.keep_seconds,
            quarantine_days=settings.spool.quarantine_days,
            wall=time.time,
            monotonic=time.monotonic,
            chance=chance,
        )

    def __call__(self) -> Remote:
        return replace(self._facts(), shipping=self._shipper())

    def start(self) -> None:
        self._facts.start()
        self._shipper.start()

    def stop(self) -> None:
        self._facts.stop()
        self._shipper.stop()
