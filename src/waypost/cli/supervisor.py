"""Keep a few child processes running: start them, say when each serves, restart what dies, stop all together."""

import asyncio
import contextlib
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from waypost.telemetry import readiness

# A child that lived this long had started well: its next failure is a new one.
SETTLED_SECONDS = 10.0
FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 5.0
_DOUBLINGS = 6  # from the first delay to past the longest
# From SIGTERM to SIGKILL: longer than the 20 seconds that mail waits for a relay in the middle of a message.
STOP_SECONDS = 25.0
# For a worker to recover its spool and serve again; a large one on a slow disk takes seconds.
RENEW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """One child process."""

    name: str
    command: Sequence[str]
    serves: str
    """What is said once it is ready: its address."""
    inherits: tuple[int, ...] = ()
    """File descriptors it gets from this process in every life."""
    vital: bool = True
    """Everything ends when it ends before it was ready for the first time. Else it is started again until it is."""
    rolling: bool = False
    """It is started again when all such are, one after the other."""


class StartFailedError(Exception):
    """A vital child ended before it served for the first time: restarting it would only repeat that."""

    def __init__(self, service: str, outcome: str) -> None:
        """`outcome` says how it ended, in words."""
        super().__init__(f"{service} {outcome} before it was ready")
        self.service = service
        self.outcome = outcome


def restart_delay(failures: int) -> float:
    """Seconds before a child is started again after its `failures`-th quick death in a row (from 1)."""
    return min(FIRST_DELAY_SECONDS * (1 << min(failures - 1, _DOUBLINGS)), LONGEST_DELAY_SECONDS)


async def supervise(
    services: Sequence[Service],
    stop: asyncio.Event,
    report: Callable[[str, str], None],
    on_ready: Callable[[], None] = lambda: None,
    renew: asyncio.Event | None = None,
) -> None:
    """Run the services until `stop` is set, then end them all: SIGTERM, and SIGKILL after STOP_SECONDS.

    Args:
        services: started at once; none waits for another.
        stop: set it to end.
        report: called with a service's name and what happened to it, for a person to read.
        on_ready: called once, when all of them have become ready.
        renew: set it to have the rolling services started again, one after the other; cleared when that begins.

    Raises:
        StartFailedError: a vital one ended before it was ready for the first time; the others have been stopped.
    """
    with tempfile.TemporaryDirectory(prefix="waypost-") as directory:
        kept = [_Kept(service, report) for service in services]
        keepers = [asyncio.create_task(each.keep(Path(directory))) for each in kept]
        others = [
            asyncio.create_task(_when_all([each.ready for each in kept], on_ready)),
            asyncio.create_task(_renew_one_by_one(kept, renew or asyncio.Event())),
        ]
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopped, *keepers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stopped, *others, *keepers):
                task.cancel()
            outcomes = await asyncio.gather(*keepers, *others, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome


async def _when_all(events: Sequence[asyncio.Event], then: Callable[[], None]) -> None:
    for event in events:
        await event.wait()
    then()


async def _renew_one_by_one(kept: Sequence["_Kept"], renew: asyncio.Event) -> None:
    """Whenever it is asked for; ends early when one does not come back, so that the others go on as they are."""
    while True:
        await renew.wait()
        renew.clear()  # asked for again meanwhile, those that were new by then are started again too
        for each in kept:
            if each.service.rolling and not await each.renew():
                break


class _Kept:
    """A child and its lives."""

    def __init__(self, service: Service, report: Callable[[str, str], None]) -> None:
        self.service = service
        self.ready = asyncio.Event()
        """It served once."""
        self._report = report
        self._serving = asyncio.Event()
        """It serves in this life."""
        self._process: asyncio.subprocess.Process | None = None
        self._renewing = False

    async def keep(self, directory: Path) -> None:
        """Start it whenever it is not there, until cancelled."""
        clock = asyncio.get_running_loop().time
        failures = 0
        with _notify_socket(directory / self.service.name) as notify:
            while True:
                self._report(self.service.name, "starting")
                started = clock()
                try:
                    outcome = f"ended with status {await self._run(notify)}"
                except OSError as error:
                    outcome = f"could not be started ({error.strerror})"
                if self._renewing:
                    self._renewing = False
                    failures = 0
                    continue
                if self.service.vital and not self.ready.is_set():
                    raise StartFailedError(self.service.name, outcome)
                failures = 1 if clock() - started >= SETTLED_SECONDS else failures + 1
                delay = restart_delay(failures)
                self._report(self.service.name, f"{outcome}; starts again in {delay:g} s")
                await asyncio.sleep(delay)

    async def renew(self) -> bool:
        """End it and have it started again; whether it serves then."""
        if self._process is not None and self._process.returncode is None:
            self._renewing = True
            self._serving.clear()
            await _end(self._process)
        waiting = asyncio.create_task(self._serving.wait())
        # Not asyncio.timeout, for the reason in _end.
        await asyncio.wait({waiting}, timeout=RENEW_SECONDS)
        waiting.cancel()
        if not self._serving.is_set():
            self._report(self.service.name, f"was not ready in {RENEW_SECONDS:g} s; the others are left as they are")
        return self._serving.is_set()

    async def _run(self, notify: socket.socket) -> int:
        """One life of the child; its exit status, negative for a signal. Cancelled: the child is ended first."""
        _forget(notify)
        process = self._process = await asyncio.create_subprocess_exec(
            *self.service.command,
            env=os.environ | {readiness.VARIABLE: notify.getsockname()},
            # Ctrl+C reaches the supervisor alone, which then stops the children in its own way.
            process_group=0,
            pass_fds=self.service.inherits,
        )
        async with _cancelled_at_exit(self._say_when_ready(notify)):
            try:
                return await process.wait()
            finally:
                self._serving.clear()
                await _end(process)

    async def _say_when_ready(self, notify: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while readiness.READY not in (await loop.sock_recv(notify, 4096)).split(b"\n"):
            pass
        self.ready.set()
        self._serving.set()
        self._report(self.service.name, f"ready: {self.service.serves}")


def _forget(notify: socket.socket) -> None:
    """What the life before said last is not said by the next one."""
    with contextlib.suppress(BlockingIOError):
        while True:
            notify.recv(4096)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    # Not asyncio.timeout: this task is being cancelled, and Python 3.11.2 (Debian 12) then lets no TimeoutError out.
    ended = asyncio.create_task(process.wait())
    await asyncio.wait({ended}, timeout=STOP_SECONDS)
    if not ended.done():
        process.kill()
    await ended


@contextlib.contextmanager
def _notify_socket(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
        notify.bind(str(path))
        yield notify


@contextlib.asynccontextmanager
async def _cancelled_at_exit(coroutine: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(coroutine)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
