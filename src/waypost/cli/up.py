"""`waypost up`: the whole product on this machine."""

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from waypost import __version__
from waypost.cli.options import config_option, data_option, load_settings
from waypost.cli.supervisor import Service, StartFailedError, supervise
from waypost.config import Settings
from waypost.keyfile import KeyfileError, start_keyring
from waypost.telemetry import readiness
from waypost.telemetry.ports import check_free

LOCK_FILE = "up.lock"
_REMINDER = (
    "There is no copy of the link keys yet, and without them every link sent is dead. "
    "Make one and keep it elsewhere: waypost keys export FILE\n"
)


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
    with _only_one(data):
        _refuse_taken(settings)
        try:
            asyncio.run(_supervise(_services(settings, config), remind=bool(keyring.unexported)))
        except StartFailedError as error:
            raise click.ClickException(f"{error}; its own message is above. Everything is stopped.") from error
    click.echo("Stopped.")


def _refuse_taken(settings: Settings) -> None:
    """Edges share their port with siblings, and would share it with those of another install, whose links they lack."""
    for key, listen in (("control.listen", settings.control.listen), ("edge.listen", settings.edge.listen)):
        try:
            check_free(listen.host, listen.port)
        except OSError as error:
            raise click.ClickException(f"{error.strerror}. Give {key} another.") from error


def _services(settings: Settings, config: Path | None) -> list[Service]:
    options = ["--data", str(settings.data), "--parent", str(os.getpid())]
    if config is not None:
        options += ["--config", str(config)]
    # -P: what lies in the directory it is started from is not imported.
    command = [sys.executable, "-P", "-m", "waypost"]
    edges = [
        Service(
            f"edge-{worker}",
            [*command, "edge", "--worker", str(worker), *options],
            f"links on http://{settings.edge.listen}",
        )
        for worker in range(settings.edge.workers)
    ]
    return [Service("core", [*command, "core", *options], f"API on http://{settings.control.listen}"), *edges]


async def _supervise(services: list[Service], *, remind: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    width = max(len(service.name) for service in services)
    await supervise(
        services,
        stop,
        report=lambda name, line: click.echo(f"{name:{width}}  {line}"),
        on_ready=lambda: _say_ready(remind=remind),
    )


def _say_ready(*, remind: bool) -> None:
    click.echo(f"{_REMINDER if remind else ''}Ready. Ctrl+C stops.")
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
