"""`waypost edge`: one redirect server, alone."""

import logging
import os
from pathlib import Path

import click

from waypost.cli.options import config_option, data_option, load_settings
from waypost.edge import process
from waypost.keyfile import KeyfileError, keyring_path
from waypost.spool import SpoolInUseError
from waypost.telemetry import logs, parent, readiness

_log = logging.getLogger(__name__)


@click.command()
@data_option
@config_option
@click.option(
    "--worker",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Number of this worker. Several may share the port; each has its own spool directory, spool/edge-N.",
)
@click.option("--parent", "parent_process", type=int, hidden=True, help="End when this process ends.")
@click.option("--listener", type=int, hidden=True, help="Descriptor of a listening socket to serve on.")
def edge(data: Path, config: Path | None, worker: int, parent_process: int | None, listener: int | None) -> None:
    """Serve redirects: one edge worker.

    It needs the keyring in the data directory and nothing else: no database, no network. Clicks wait in the spool
    directory until a pipeline takes them. Stop it with Ctrl+C or SIGTERM: it answers what was asked before it ends.
    """
    settings = load_settings(config, data)
    logs.configure(process.worker_name(settings, worker))
    if parent_process is not None:
        parent.end_with_parent(parent_process)

    def ready() -> None:
        if parent_process is None:  # else `waypost up` says it, in the same terminal
            _log.info("redirects are served on %s", settings.edge.listen)
        readiness.announce_ready(os.environ)

    try:
        process.run(
            settings,
            worker,
            keyring_path(data),
            listener=listener,
            on_ready=ready,
        )
    except (KeyfileError, SpoolInUseError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"cannot serve on {settings.edge.listen}: {error}") from error
