"""The keyring of a running process, kept as its file is."""

import asyncio

from waypost.keyfile.watched import LOOK_SECONDS, WatchedKeyring
from waypost.telemetry.pause import pause


async def watch(keyring: WatchedKeyring, stop: asyncio.Event) -> None:
    """Take a key that was added or promoted without a restart, until `stop` is set."""
    while not stop.is_set():
        await asyncio.to_thread(keyring.look)
        await pause(stop, LOOK_SECONDS)
