"""The time between two rounds of work."""

import asyncio
from contextlib import suppress


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, until `stop` is set at the latest."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
