"""The keyring of a running process, kept as its file is."""

import asyncio

from waypost.keyfile.watched import LOOK_SECONDS, WatchedKeyring


async def watch(keyring: WatchedKeyring, stop: asyncio.Event) -> None:
    """Take a key that was added or promoted without a restart, until `stop` is set."""
    while not stop.is_set():
        await asyncio.to_thread(keyring.look)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue
