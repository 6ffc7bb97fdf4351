"""Composition root of an API worker: takes messages in, and forwards everything else to the core."""

import asyncio
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

from anyio import to_thread

from waypost.config import Settings
from waypost.control.forwarding import Forwarder
from waypost.control.install import join_install
from waypost.control.process import serve, when_listening
from waypost.control.worker import WorkerApi
from waypost.core.keyring import watch
from waypost.db import ControlKey, Database
from waypost.db.engine import CONNECTIONS_KEPT
from waypost.keyfile import keyring_path
from waypost.keyfile.watched import WatchedKeyring
from waypost.telemetry.garbage import spare_the_collector

# Each takes a connection to the database, as do the rounds of sends and those of sessions. There are several workers,
# and PostgreSQL has a hundred connections unless told otherwise.
_THREADS = CONNECTIONS_KEPT - 2


def run(settings: Settings, core_socket: Path, on_ready: Callable[[], None]) -> None:
    """Serve the API beside other workers, until SIGTERM or SIGINT. Begins once a core has prepared the database.

    Args:
        settings: of the install.
        core_socket: where the core answers.
        on_ready: called once the API answers.

    Raises:
        KeyfileError: there is no usable keyring.
        DatabaseError: the control database, or control.key, cannot be used.
        ExceptionGroup: parts of it failed, of CannotListenError when the address to listen on cannot be had.
    """
    keyring = WatchedKeyring(keyring_path(settings.data))
    database, control_key = join_install(settings)
    try:
        asyncio.run(_run(settings, keyring, database, control_key, core_socket, on_ready))
    finally:
        database.close()


async def _run(  # noqa: PLR0917 -- the parts that `run` has opened
    settings: Settings,
    keyring: WatchedKeyring,
    database: Database,
    control_key: ControlKey,
    core_socket: Path,
    on_ready: Callable[[], None],
) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    to_thread.current_default_thread_limiter().total_tokens = _THREADS
    listen = settings.control.listen
    api = WorkerApi(database, lambda: keyring.keyring, control_key, Forwarder(core_socket))
    async with asyncio.TaskGroup() as parts:
        parts.create_task(serve(api, listen, stop, shared=True))
        parts.create_task(watch(keyring, stop))
        if await when_listening(partial(asyncio.open_connection, listen.host, listen.port), stop):
            spare_the_collector()
            on_ready()
