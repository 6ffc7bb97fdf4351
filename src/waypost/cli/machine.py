"""What `waypost up` and `waypost edge` share: the processes of a machine that serves redirects, and their sockets."""

import asyncio
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from waypost.cli.supervisor import Service, supervise
from waypost.config import HostPort, Settings
from waypost.edge.app import listening_socket
from waypost.edge.process import worker_name
from waypost.telemetry import readiness
from waypost.telemetry.ports import check_free

LOCK_FILE = "up.lock"
RENEW_SIGNAL = signal.SIGUSR1
_LOCALHOST = "localhost"
_LOCALHOST_ADDRESSES = frozenset({"127.0.0.1", "0.0.0.0", "::1", "::"})  # noqa: S104 -- compared with, not bound
_FIRST_PASSED = 3  # sd_listen_fds(3)


@dataclass(frozen=True, slots=True)
class Sockets:
    """Held by the supervisor, so that who connects while a process is started again waits for it."""

    workers: tuple[socket.socket, ...]
    """One each, not one for all: the kernel then spreads connections over the workers evenly."""
    internal: socket.socket


def listen(settings: Settings, held: ExitStack, environ: Mapping[str, str]) -> Sockets:
    """Listen for the workers and the agent.

    Args:
        settings: say where, and how many workers there are.
        held: closes what it opens.
        environ: may say that systemd listens for the workers already.

    Raises:
        click.ClickException: an address cannot be had.
    """
    workers = settings.edge.workers
    refuse_taken(edge_addresses(settings, environ))
    passed = passed_sockets(environ)
    if passed:
        listening = [socket.socket(fileno=os.dup(passed[worker % len(passed)])) for worker in range(workers)]
        _check_passed(listening, len(passed), settings)
    else:
        # Shared among several only: one alone leaves no room for the edge of another install, which lacks our keys.
        listening = [_listen(settings.edge.listen, "edge.listen", shared=workers > 1) for _ in range(workers)]
    for each in listening:
        held.enter_context(each)
    internal = _listen(settings.edge.internal_listen, "edge.internal_listen", shared=False)
    return Sockets(tuple(listening), held.enter_context(internal))


def passed_sockets(environ: Mapping[str, str]) -> range:
    """Descriptors on which systemd listens for this process (sd_listen_fds(3)); none when it does not."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return range(0)
    return range(_FIRST_PASSED, _FIRST_PASSED + int(environ.get("LISTEN_FDS", "0")))


def _check_passed(listening: Sequence[socket.socket], passed: int, settings: Settings) -> None:
    """Refuse what a socket unit and the settings do not agree on: some readers would wait for nobody."""
    edge = settings.edge
    if passed > edge.workers:
        raise click.ClickException(
            f"systemd listens on {passed} sockets, and edge.workers is {edge.workers}: who connects to the others would"
            " wait for ever. Make as many workers, or fewer ListenStream= lines."
        )
    for each in listening:
        address = each.getsockname()
        if not isinstance(address, tuple) or address[1] != edge.listen.port:
            raise click.ClickException(
                f"systemd listens on {address}, and edge.listen is {edge.listen}: make it and ListenStream= the same."
            )


def edge_addresses(settings: Settings, environ: Mapping[str, str]) -> dict[str, HostPort]:
    """Where `listen` is to listen itself, by setting."""
    edge = settings.edge
    internal = {"edge.internal_listen": edge.internal_listen}
    return internal if passed_sockets(environ) else {"edge.listen": edge.listen, **internal}


def refuse_taken(addresses: Mapping[str, HostPort]) -> None:
    """Edges share their port with siblings, and would share it with those of another install, whose links they lack."""
    for key, address in addresses.items():
        try:
            check_free(address.host, address.port)
        except OSError as error:
            raise click.ClickException(f"{error.strerror}. Give {key} another.") from error


def _listen(address: HostPort, key: str, *, shared: bool) -> socket.socket:
    try:
        return listening_socket(address, shared=shared)
    except OSError as error:
        raise click.ClickException(f"{error.strerror}: {address}. Give {key} another.") from error


def services(settings: Settings, config: Path | None, sockets: Sockets) -> list[Service]:
    """The agent and the workers."""
    workers = str(settings.edge.workers)
    internal = sockets.internal.fileno()
    return [
        Service(
            "agent",
            command(settings, config, "agent", "--workers", workers, "--listener", str(internal)),
            f"health on http://{settings.edge.internal_listen}/readyz",
            inherits=(internal,),
            # Redirects do not need it.
            vital=False,
            rolling=True,
        ),
        *(
            Service(
                worker_name(settings, worker),
                command(
                    settings,
                    config,
                    *("edge-worker", "--worker", str(worker), "--workers", workers),
                    *("--listener", str(listening.fileno())),
                ),
                f"links on {links_origin(settings)}",
                inherits=(listening.fileno(),),
                rolling=True,
            )
            for worker, listening in enumerate(sockets.workers)
        ),
    ]


def links_origin(settings: Settings) -> str:
    """Where to try a link: they open only under a link domain, so under `localhost` rather than its address."""
    listening = settings.edge.listen
    if _LOCALHOST in settings.links.development_domains and listening.host in _LOCALHOST_ADDRESSES:
        return f"http://{_LOCALHOST}:{listening.port}"
    return f"http://{listening}"


def command(settings: Settings, config: Path | None, *words: str) -> list[str]:
    """A waypost command as a child that ends with this process."""
    options = ["--data", str(settings.data), "--parent", str(os.getpid())]
    if config is not None:
        options += ["--config", str(config)]
    # -P: what lies in the directory it is started from is not imported.
    return [sys.executable, "-P", "-m", "waypost", *words, *options]


async def supervise_until_signal(children: list[Service], *, on_stop: Callable[[], None], reminder: str = "") -> None:
    """Run the children until SIGTERM, SIGINT or SIGHUP; SIGUSR1 starts agent and workers again, one by one.

    Args:
        children: services.
        on_stop: called first of all at the end.
        reminder: said when everything is ready.

    Raises:
        StartFailedError: as `supervise`.
    """
    loop = asyncio.get_running_loop()
    stop, renew = asyncio.Event(), asyncio.Event()

    def end() -> None:
        on_stop()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            loop.add_signal_handler(number, end)
    loop.add_signal_handler(RENEW_SIGNAL, renew.set)
    width = max(len(child.name) for child in children)
    await supervise(
        children,
        stop,
        report=lambda name, line: click.echo(f"{name:{width}}  {line}"),
        on_ready=lambda: _say_ready(reminder),
        renew=renew,
    )


def _say_ready(reminder: str) -> None:
    click.echo(f"{reminder}Ready. Ctrl+C stops.")
    readiness.announce_ready(os.environ)


@contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Hold the data directory; a second one there would fight over the ports and the stores."""
    try:
        lock = (data / LOCK_FILE).open("a+", encoding="ascii")
    except OSError as error:
        raise click.ClickException(f"The data directory {data} cannot be written ({error.strerror}).") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise click.ClickException(f"waypost already runs on {data} (process {lock.read().strip()}).") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
