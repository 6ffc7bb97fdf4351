"""What several requests ask for at the same time, done at once: a group commit, for any work."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Done = TypeVar("Done")


class Together(Generic[Asked, Done]):
    """Does in one round, in a thread, all that was asked for while the round before was under way.

    Who comes when there is none begins one at once, so who is alone waits for nobody; the more come at the same time,
    the more share what a round costs. For one event loop.

    Args:
        act: does a round: an outcome or an exception for each that was asked, in order. What it raises is everybody's.
        most: how many a round may have.
    """

    def __init__(self, act: Callable[[Sequence[Asked]], Sequence[Done | Exception]], most: int) -> None:
        self._act = act
        self._most = most
        # Its own: no round waits for routes that do something slow. And anyio's way into a thread takes more CPU.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="together")
        self._waiting: deque[tuple[Asked, asyncio.Future[Done]]] = deque()
        self._rounds: asyncio.Task[None] | None = None

    async def do(self, asked: Asked) -> Done:
        """Have it done; raises what came of it instead. It is done even when the caller is cancelled meanwhile."""
        future: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if self._rounds is None:
            self._rounds = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._round([self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))])
        finally:
            self._rounds = None

    async def _round(self, waiting: Sequence[tuple[Asked, "asyncio.Future[Done]"]]) -> None:
        outcomes: Sequence[Done | Exception]
        try:
            loop = asyncio.get_running_loop()
            outcomes = await loop.run_in_executor(self._thread, self._act, [asked for asked, _ in waiting])
        except Exception as error:  # noqa: BLE001 - raised where each of them came in
            outcomes = [error] * len(waiting)
        for (_, future), outcome in zip(waiting, outcomes, strict=True):
            if future.cancelled():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
