"""`waypost api-worker`: one of several processes that serve the API in front of a core; `up` runs them."""

import os
from pathlib import Path

import click

from waypost.cli.listening import listening_at
from waypost.cli.options import config_option, data_option, load_settings
from waypost.core.api_worker import run
from waypost.db import DatabaseError
from waypost.keyfile import KeyfileError
from waypost.telemetry import logs, parent, readiness


@click.command()
@data_option
@config_option
@click.option("--worker", type=click.IntRange(min=0), default=0, metavar="N", help="Number of this worker.")
@click.option(
    "--core-socket",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="Where the core answers: its own --api-socket.",
)
@click.option("--parent", "parent_process", type=int, hidden=True, help="End when this process ends.")
def api_worker(*, data: Path, config: Path | None, worker: int, core_socket: Path, parent_process: int | None) -> None:
    """Take messages in, and have the core answer everything else: one of several that share control.listen."""
    logs.configure(f"api-{worker}")
    if parent_process is not None:
        parent.end_with_parent(parent_process)
    settings = load_settings(config, data)
    try:
        with listening_at(settings.control.listen):
            run(settings, core_socket, on_ready=lambda: readiness.announce_ready(os.environ))
    except (KeyfileError, DatabaseError) as error:
        raise click.ClickException(str(error)) from error
