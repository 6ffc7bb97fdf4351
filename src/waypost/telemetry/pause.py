"""The time between two rounds of work."""

import asyncio


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, until `stop` is set at the latest."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
