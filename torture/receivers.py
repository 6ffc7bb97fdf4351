"""Receivers of webhooks on this machine, on a thread of their own: each does what it is told, and may be told anew."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

from tests.integration.webhooks.receivers import Receiver, Request, receiving

CALL_SECONDS = 10.0


class Taking:
    """Answers 204, and remembers what it took."""

    def __init__(self) -> None:
        self.taken: list[Request] = []

    async def __call__(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.taken.append(request)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    @property
    def ids(self) -> set[str]:
        """The `webhook-id` of each."""
        return {request.headers["webhook-id"] for request in self.taken}


class Receivers:
    """From `with` to its end. Times of requests are the loop's: `wall` has them as the clock does."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open: dict[int, AsyncExitStack] = {}
        self._before = time.time() - self._loop.time()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        for port in list(self._open):
            self.close(port)
        self._call(self._cancel())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_SECONDS)
        self._loop.close()

    def open(
        self, answer: Callable[..., Any], *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> Receiver:
        """One more; its `answer` may be replaced."""
        return self._call(self._enter(answer, host, port, tls))

    def close(self, port: int) -> None:
        """Listen there no more."""
        self._call(self._open.pop(port).aclose())

    def wall(self, request: Request) -> float:
        """When it came, in seconds since 1970."""
        return request.at + self._before

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_SECONDS)

    async def _enter(self, answer: Callable[..., Any], host: str, port: int, tls: ssl.SSLContext | None) -> Receiver:
        stack = AsyncExitStack()
        receiver = await stack.enter_async_context(receiving(answer, port, host, tls))
        self._open[receiver.port] = stack
        return receiver

    async def _cancel(self) -> None:
        """What still answers, for ever perhaps."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
