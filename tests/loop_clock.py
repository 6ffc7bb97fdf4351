"""An event loop's clock that only the test moves."""

import asyncio
from collections.abc import Callable


class LoopClock:
    """Stands still until it is set, for the loop that runs: no timer there sees how slow this machine is.

    Whoever waits in such a loop for a timer, as in `asyncio.sleep`, waits until `pass_seconds`.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._now = loop.time()
        loop.time = lambda: self._now  # type: ignore[method-assign] -- what every timer of it is set and looked at by

    def pass_seconds(self, seconds: float) -> None:
        """Make every timer due that was set for no later than that."""
        self._now += seconds

    @staticmethod
    async def until(condition: Callable[[], object]) -> None:
        """Wait until it is so, as threads and sockets will have it, without a timer."""
        while not condition():  # noqa: ASYNC110 -- whatever it is, no event tells of it
            await asyncio.sleep(0)
