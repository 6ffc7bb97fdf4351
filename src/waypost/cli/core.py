"""`waypost core`: the API, mail and pipeline, without edges."""

import os
from pathlib import Path

import click

from waypost.cli.listening import listening_at
from waypost.cli.options import config_option, data_option, load_settings
from waypost.control.keys.service import CreatedApiKey
from waypost.control.verification.errors import TrustedRootsError
from waypost.core.process import run
from waypost.db import DatabaseError
from waypost.keyfile import KeyfileError
from waypost.store import StoreError
from waypost.telemetry import logs, parent, readiness


@click.command()
@data_option
@config_option
@click.option(
    "--api-socket",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Answer there what API workers forward, and leave control.listen to them.",
)
@click.option("--parent", "parent_process", type=int, hidden=True, help="End when this process ends.")
def core(data: Path, config: Path | None, api_socket: Path | None, parent_process: int | None) -> None:
    """Run the HTTP API, the pipeline and mail: everything but the edges.

    One process, which owns the embedded stores of its data directory. `waypost up` runs it together with the edges, and
    with the API workers that control.workers says.
    """
    logs.configure("core")
    if parent_process is not None:
        parent.end_with_parent(parent_process)
    settings = load_settings(config, data)
    try:
        with listening_at(api_socket or settings.control.listen):
            run(settings, _show_once, on_ready=lambda: readiness.announce_ready(os.environ), api_socket=api_socket)
    except (KeyfileError, DatabaseError, StoreError, TrustedRootsError) as error:
        raise click.ClickException(str(error)) from error


def _show_once(credential: CreatedApiKey) -> None:
    click.echo(
        "\nThe operator's credential. It is shown this once; keep it.\n"
        f"  key     {credential.api_key.key}\n"
        f"  secret  {credential.secret}\n"
    )
