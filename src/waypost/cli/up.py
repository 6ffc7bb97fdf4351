"""`waypost up`: the whole product on this machine."""

import asyncio
import os
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import click

from waypost import __version__
from waypost.cli.machine import (
    command,
    edge_addresses,
    listen,
    only_one,
    refuse_taken,
    services,
    supervise_until_signal,
)
from waypost.cli.options import config_option, data_option, load_settings
from waypost.cli.supervisor import Service, StartFailedError
from waypost.config import Settings
from waypost.keyfile import KeyfileError, StartedKeyring, is_empty, start_keyring

WORKERS_ON_POSTGRESQL = 2
"""What `control.workers = 0` means: one for each of the two cores that the API's rate (P9) is asked for on."""


@click.command()
@data_option
@config_option
def up(data: Path, config: Path | None) -> None:
    """Run everything on this machine: API, mail, pipeline, edge.

    One core process, one agent, one process per edge worker and, with PostgreSQL, per API worker, each started again
    when it ends. The first start makes the data directory with its keys and prints the operator's credential once.
    Ctrl+C or SIGTERM stops all of it; SIGUSR1 starts the edge's processes again, one after the other, without losing a
    reader.
    """
    settings = load_settings(config, data)
    workers = api_workers(settings)
    if settings.edge.control_url:
        raise click.ClickException(
            "edge.control_url says that the core is elsewhere: run `waypost edge` here, or take that setting out."
        )
    with suppress(OSError):  # of the data directory: what makes the keyring there says what is wrong with it
        if is_empty(data):
            # So that a first start without its ports makes nothing. Else it may be running here, which is said first.
            refuse_taken({"control.listen": settings.control.listen, **edge_addresses(settings, os.environ)})
    try:
        # Before anything else is written there: a new keyring is made only in an empty directory.
        keyring = start_keyring(data)
    except KeyfileError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Waypost {__version__}, data in {data.resolve()}")
    if keyring.created:
        click.echo("Made a new data directory and the keys that seal links.")
    # Sockets are not in the data directory, whose path may be longer than one of theirs can be.
    with only_one(data), tempfile.TemporaryDirectory(prefix="waypost-") as directory, ExitStack() as held:
        refuse_taken({"control.listen": settings.control.listen})
        sockets = listen(settings, held, os.environ)
        # Links that have been sent redirect, whatever keeps the core from starting.
        children = [
            *_api_and_core(settings, config, workers, str(Path(directory) / "core"), vital=keyring.created),
            *services(settings, config, sockets),
        ]
        try:
            asyncio.run(supervise_until_signal(children, on_stop=held.close, reminder=reminder_of(keyring)))
        except StartFailedError as error:
            raise click.ClickException(f"{error}; its own message is above. Everything is stopped.") from error
    click.echo("Stopped.")


def api_workers(settings: Settings) -> int:
    """How many processes serve the API in front of the core; 0: the core itself does.

    Raises:
        click.UsageError: more are asked for than the control database takes.
    """
    wanted = settings.control.workers
    if wanted > 1 and not settings.db.is_postgresql:
        raise click.UsageError(
            f"control.workers is {wanted}, and the control database is SQLite, which has one writer at a time: take"
            " that setting out, or give db.url a PostgreSQL database."
        )
    if wanted == 0:
        return WORKERS_ON_POSTGRESQL if settings.db.is_postgresql else 0
    return wanted if wanted > 1 else 0


def _api_and_core(settings: Settings, config: Path | None, workers: int, socket: str, *, vital: bool) -> list[Service]:
    api = f"API on http://{settings.control.listen}"
    if not workers:
        return [Service("core", command(settings, config, "core"), api, vital=vital)]
    return [
        Service("core", command(settings, config, "core", "--api-socket", socket), "mail, pipeline", vital=vital),
        *(
            Service(
                f"api-{worker}",
                command(settings, config, "api-worker", "--worker", str(worker), "--core-socket", socket),
                api,
                # Not before the core has prepared the database: what keeps that from starting is said there.
                vital=False,
            )
            for worker in range(workers)
        ),
    ]


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
