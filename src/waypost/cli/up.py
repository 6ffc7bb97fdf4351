"""`waypost up`: the whole product on this machine."""

import asyncio
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from waypost import __version__
from waypost.cli.options import config_option, data_option, load_settings
from waypost.cli.supervisor import Service, StartFailedError, supervise
from waypost.config import Settings
from waypost.edge.app import listening_socket
from waypost.keyfile import KeyfileError, StartedKeyring, start_keyring
from waypost.telemetry import readiness
from waypost.telemetry.ports import check_free

LOCK_FILE = "up.lock"
_LOCALHOST = "localhost"
_LOCALHOST_ADDRESSES = frozenset({"127.0.0.1", "0.0.0.0", "::1", "::"})  # noqa: S104 -- compared with, not bound


@click.command()
@data_option
@config_option
def up(data: Path, config: Path | None) -> None:
    """Run everything on this machine: API, mail, pipeline, edge.

    One core process and one process per edge worker, each started again when it ends. The first start makes the data
    directory with its keys and prints the operator's credential once. Ctrl+C or SIGTERM stops all of it.
    """
    settings = load_settings(config, data)
    try:
        # Before anything else is written there: a new keyring is made only in an empty directory.
        keyring = start_keyring(data)
    except KeyfileError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Waypost {__version__}, data in {data.resolve()}")
    if keyring.created:
        click.echo("Made a new data directory and the keys that seal links.")
    with _only_one(data), ExitStack() as held:
        listeners = [held.enter_context(listener) for listener in _listeners(settings)]
        services = [
            # Links that have been sent redirect, whatever keeps the core from starting.
            _core(settings, config, vital=keyring.created),
            *(_edge(settings, config, worker, listener) for worker, listener in enumerate(listeners)),
        ]
        try:
            asyncio.run(_supervise(services, on_stop=held.close, reminder=reminder_of(keyring)))
        except StartFailedError as error:
            raise click.ClickException(f"{error}; its own message is above. Everything is stopped.") from error
    click.echo("Stopped.")


def _listeners(settings: Settings) -> list[socket.socket]:
    """A listening socket for each edge worker. Held here, so that who connects while one is started again waits for it.

    One each, not one for all: the kernel then spreads connections over the workers evenly.
    """
    _refuse_taken(settings)
    workers = settings.edge.workers
    try:
        # Shared among several only: one alone leaves no room for the edge of another install, which lacks our keys.
        return [listening_socket(settings.edge.listen, shared=workers > 1) for _ in range(workers)]
    except OSError as error:
        raise click.ClickException(f"{error.strerror}: {settings.edge.listen}. Give edge.listen another.") from error


def _refuse_taken(settings: Settings) -> None:
    """Edges share their port with siblings, and would share it with those of another install, whose links they lack."""
    for key, listen in (("control.listen", settings.control.listen), ("edge.listen", settings.edge.listen)):
        try:
            check_free(listen.host, listen.port)
        except OSError as error:
            raise click.ClickException(f"{error.strerror}. Give {key} another.") from error


def _core(settings: Settings, config: Path | None, *, vital: bool) -> Service:
    return Service("core", _command(settings, config, "core"), f"API on http://{settings.control.listen}", vital=vital)


def _edge(settings: Settings, config: Path | None, worker: int, listener: socket.socket) -> Service:
    descriptor = listener.fileno()
    return Service(
        f"edge-{worker}",
        _command(settings, config, "edge", "--worker", str(worker), "--listener", str(descriptor)),
        f"links on {links_origin(settings)}",
        inherits=(descriptor,),
    )


def links_origin(settings: Settings) -> str:
    """Where to try a link: they open only under a link domain, so under `localhost` rather than its address."""
    listen = settings.edge.listen
    if _LOCALHOST in settings.links.development_domains and listen.host in _LOCALHOST_ADDRESSES:
        return f"http://{_LOCALHOST}:{listen.port}"
    return f"http://{listen}"


def _command(settings: Settings, config: Path | None, *command: str) -> list[str]:
    options = ["--data", str(settings.data), "--parent", str(os.getpid())]
    if config is not None:
        options += ["--config", str(config)]
    # -P: what lies in the directory it is started from is not imported.
    return [sys.executable, "-P", "-m", "waypost", *command, *options]


async def _supervise(services: list[Service], *, on_stop: Callable[[], None], reminder: str) -> None:
    stop = asyncio.Event()

    def end() -> None:
        on_stop()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            asyncio.get_running_loop().add_signal_handler(number, end)
    width = max(len(service.name) for service in services)
    await supervise(
        services,
        stop,
        report=lambda name, line: click.echo(f"{name:{width}}  {line}"),
        on_ready=lambda: _say_ready(reminder),
    )


def reminder_of(keyring: StartedKeyring) -> str:
    """What to say about keys of which there is no copy; nothing when there is one of each."""
    missing = keyring.unexported
    if not missing:
        return ""
    if len(missing) == len(keyring.keyring.keys):
        what = "the link keys yet, and without them every link sent is dead"
    else:
        ids = ", ".join(map(str, missing))
        what = f"link key{'s' if missing[1:] else ''} {ids} yet, and the links sealed with a lost key are dead"
    return f"There is no copy of {what}. Make one and keep it elsewhere: waypost keys export FILE\n"


def _say_ready(reminder: str) -> None:
    click.echo(f"{reminder}Ready. Ctrl+C stops.")
    readiness.announce_ready(os.environ)


@contextmanager
def _only_one(data: Path) -> Iterator[None]:
    """Hold the data directory; a second `up` there would fight over the ports and the stores."""
    try:
        lock = (data / LOCK_FILE).open("a+", encoding="ascii")
    except OSError as error:
        raise click.ClickException(f"The data directory {data} cannot be written ({error.strerror}).") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise click.ClickException(f"waypost up already runs on {data} (process {lock.read().strip()}).") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
