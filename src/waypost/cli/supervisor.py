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
) -> None:
    """Run the services until `stop` is set, then end them all: SIGTERM, and SIGKILL after STOP_SECONDS.

    Args:
        services: started at once; none waits for another.
        stop: set it to end.
        report: called with a service's name and what happened to it, for a person to read.
        on_ready: called once, when all of them have become ready.

    Raises:
        StartFailedError: a vital one ended before it was ready for the first time; the others have been stopped.
    """
    with tempfile.TemporaryDirectory(prefix="waypost-") as directory:
        ready = [asyncio.Event() for _ in services]
        keepers = [
            asyncio.create_task(_keep(service, Path(directory), event, report))
            for service, event in zip(services, ready, strict=True)
        ]
        announcing = asyncio.create_task(_when_all(ready, on_ready))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopped, *keepers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stopped, announcing, *keepers):
                task.cancel()
            outcomes = await asyncio.gather(*keepers, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome


async def _when_all(events: Sequence[asyncio.Event], then: Callable[[], None]) -> None:
    for event in events:
        await event.wait()
    then()


async def _keep(service: Service, directory: Path, ready: asyncio.Event, report: Callable[[str, str], None]) -> None:
    clock = asyncio.get_running_loop().time
    failures = 0
    with _notify_socket(directory / service.name) as notify:
        while True:
            report(service.name, "starting")
            started = clock()
            try:
                outcome = f"ended with status {await _run(service, notify, ready, report)}"
            except OSError as error:
                outcome = f"could not be started ({error.strerror})"
            if service.vital and not ready.is_set():
                raise StartFailedError(service.name, outcome)
            failures = 1 if clock() - started >= SETTLED_SECONDS else failures + 1
            delay = restart_delay(failures)
            report(service.name, f"{outcome}; starts again in {delay:g} s")
            await asyncio.sleep(delay)


async def _run(
    service: Service, notify: socket.socket, ready: asyncio.Event, report: Callable[[str, str], None]
) -> int:
    """One life of the child; its exit status, negative for a signal. Cancelled: the child is ended first."""
    process = await asyncio.create_subprocess_exec(
        *service.command,
        env=os.environ | {readiness.VARIABLE: notify.getsockname()},
        # Ctrl+C reaches the supervisor alone, which then stops the children in its own way.
        process_group=0,
        pass_fds=service.inherits,
    )
    async with _cancelled_at_exit(_say_when_ready(service, notify, ready, report)):
        try:
            return await process.wait()
        finally:
            await _end(process)


async def _say_when_ready(
    service: Service, notify: socket.socket, ready: asyncio.Event, report: Callable[[str, str], None]
) -> None:
    loop = asyncio.get_running_loop()
    while readiness.READY not in (await loop.sock_recv(notify, 4096)).split(b"\n"):
        pass
    ready.set()
    report(service.name, f"ready: {service.serves}")


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
