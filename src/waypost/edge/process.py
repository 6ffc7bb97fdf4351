"""Composition root of one edge worker: a process and a spool directory of its own, a port shared with its siblings."""

import asyncio
import logging
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

from waypost.config import Durability, Settings
from waypost.edge.app import CONNECTIONS_MAX, EdgeApp, listening_socket, serve
from waypost.edge.courtesy import Courtesy
from waypost.edge.decide import Edge
from waypost.edge.facts import WatchedFacts
from waypost.edge.forwarded import Front
from waypost.edge.loop import run as run_loop
from waypost.edge.stream import Streams
from waypost.events.ids import Randomness
from waypost.fleet.courier import WORKER
from waypost.keyfile.snapshot import snapshot_path
from waypost.spool import SpoolInUseError
from waypost.spool.commit import GroupCommit
from waypost.spool.conservation import worker_directories
from waypost.spool.counters import Count, Counters, WorkerStatus
from waypost.spool.files import Files
from waypost.spool.segments import SegmentWriter
from waypost.telemetry.garbage import spare_the_collector

OTHER_DESCRIPTORS = 32

PREPARE_SECONDS = 1.0
"""For the disk to give the spool: what a killed worker left is put right in less. After it readers are redirected."""

log = logging.getLogger(__name__)


def worker_name(settings: Settings, worker: int) -> str:
    """Name of a worker: its spool directory, and `edge` in its events."""
    return f"{settings.edge.name}-{worker}"


def spool_root(data: Path) -> Path:
    """Where the workers' spool directories are."""
    return data / "spool"


def run(
    settings: Settings,
    worker: int,
    keyring: Path,
    *,
    listener: int | None = None,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve redirects until SIGTERM or SIGINT, then finish what was asked, seal the segment, and return.

    Args:
        settings: of the install.
        worker: number of this worker among those of this data directory, from 0.
        keyring: keyring file.
        listener: descriptor of a listening socket that outlives this process; none: it listens for itself.
        on_ready: called once requests are answered.

    Raises:
        KeyfileError: there is no usable keyring.
        SpoolInUseError: another process is this worker.
        OSError: the address to listen on cannot be had.
    """
    run_loop(lambda streams: _run(streams, settings, worker, keyring, listener=listener, on_ready=on_ready))


async def _run(
    streams: Streams,
    settings: Settings,
    worker: int,
    keyring: Path,
    *,
    listener: int | None,
    on_ready: Callable[[], None],
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    connections_max = _allow_many_connections()
    name = worker_name(settings, worker)
    front = Front(tuple(each.network for each in settings.edge.trusted_proxies), settings.edge.forwarded_header)
    courtesy = Courtesy()
    facts = WatchedFacts(name, front, keyring, snapshot_path(settings.data))
    segments, counters = _segments(settings, name)
    spool = GroupCommit(
        segments,
        counters,
        wait_seconds=settings.spool.sync_wait_seconds,
        loop=loop,
        soon=streams.call_soon,
    )
    if worker == 0:
        # On a thread that ends with the process: a stuck disk must hold up neither the start nor the end.
        Thread(target=_recover_gone_workers, args=(settings,), name="spool-recovery", daemon=True).start()

    def swept(connections: int) -> None:
        counters.report(_status(facts(), segments, spool, connections))
        courtesy.look()

    try:
        await spool.prepared(PREPARE_SECONDS)
        listening = (
            listening_socket(settings.edge.listen, shared=True) if listener is None else socket.socket(fileno=listener)
        )
        app = EdgeApp(
            facts, spool, seen=counters.seen, now=lambda: datetime.now(UTC), randomness=Randomness(os.urandom)
        )
        # In this order: whoever adds a key sees a worker that lacks it, or the worker sees the key before it serves.
        counters.report(_status(facts(), segments, spool, connections=0))
        facts.look()
        facts.start()
        spare_the_collector()
        serving = loop.create_task(
            serve(
                app.handle,
                listening,
                streams,
                stop,
                time.time,
                connections_max=connections_max,
                on_sweep=swept,
            )
        )
        loop.call_soon(on_ready)
        await serving
    finally:
        facts.stop()
        await spool.close()


def _status(facts: Edge, segments: SegmentWriter, spool: GroupCommit, connections: int) -> WorkerStatus:
    return WorkerStatus(
        heartbeat_at_ms=int(time.time() * 1000),
        failing=segments.failing or (Count.LOST_OVERFLOW if spool.is_full else None),
        snapshot_version=facts.snapshot.version if facts.snapshot else 0,
        key_ids=frozenset(facts.keyring.ciphers),
        connections=connections,
    )


def _segments(settings: Settings, name: str) -> tuple[SegmentWriter, Counters]:
    counters = Counters.in_memory(until_kept=True)
    segments = SegmentWriter(
        spool_root(settings.data) / name,
        name,
        counters,
        sync=settings.spool.durability is Durability.GROUP,
        segment_bytes=settings.spool.segment_bytes,
        segment_seconds=settings.spool.segment_seconds,
        max_bytes=settings.spool.max_bytes,
        files=Files(),
    )
    return segments, counters


def _recover_gone_workers(settings: Settings) -> None:
    """Put right what workers left behind that an earlier setting had: no process opens their directories again.

    All of them, whatever lies there: a kill leaves counts open too. One that runs all the same, started by hand, holds
    its directory and is left alone.
    """
    present = {worker_name(settings, worker) for worker in range(settings.edge.workers)}
    for directory in worker_directories(spool_root(settings.data)):
        if directory.name not in present and WORKER.fullmatch(directory.name):
            with suppress(SpoolInUseError):
                segments, _ = _segments(settings, directory.name)
                segments.prepare()
                segments.close()


def _allow_many_connections() -> int:
    """How many there may be: a connection is a descriptor, and the usual soft limit of 1,024 is soon reached.

    Some are kept back for the spool and the keyring: idle clients must not cost the clicks of others.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return CONNECTIONS_MAX if hard == resource.RLIM_INFINITY else min(CONNECTIONS_MAX, hard - OTHER_DESCRIPTORS)
