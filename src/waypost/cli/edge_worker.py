"""`waypost edge-worker`: one process of the redirect server. It imports what answers, and nothing that asks."""

import logging
import os
from pathlib import Path

import click
from msgspec.structs import replace

from waypost.cli.options import config_option, data_option, load_settings
from waypost.config import Settings
from waypost.edge import process
from waypost.keyfile import KeyfileError, keyring_path
from waypost.spool import SpoolInUseError
from waypost.telemetry import logs, parent, readiness

_log = logging.getLogger(__name__)

workers_option = click.option(
    "--workers", type=click.IntRange(1, 64), metavar="N", help="How many workers.  [default: edge.workers]"
)
parent_option = click.option("--parent", "parent_process", type=int, hidden=True, help="End when this process ends.")
listener_option = click.option("--listener", type=int, hidden=True, help="Descriptor of a listening socket.")


def with_workers(settings: Settings, workers: int | None) -> Settings:
    """The settings, with what the command line says of the number of workers."""
    return settings if workers is None else replace(settings, edge=replace(settings.edge, workers=workers))


def is_about_listening(error: OSError, listener: int | None) -> bool:
    """Whether it may be that the address cannot be had; `listener`: what the process was given that listens already.

    Any other stays what it is, with its traceback: a full disk is not to be looked for at a port.
    """
    return listener is None and error.filename is None


@click.command()
@data_option
@config_option
@click.option(
    "--worker",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Number of this worker. Several may share the port; each has its own spool directory, spool/NAME-N.",
)
@workers_option
@parent_option
@listener_option
def edge_worker(
    *,
    data: Path,
    config: Path | None,
    worker: int,
    workers: int | None,
    parent_process: int | None,
    listener: int | None,
) -> None:
    """Serve redirects: one worker, without a supervisor and an agent."""
    settings = with_workers(load_settings(config, data), workers)
    logs.configure(process.worker_name(settings, worker))
    if parent_process is not None:
        parent.end_with_parent(parent_process)

    def ready() -> None:
        if parent_process is None:  # else the supervisor says it, in the same terminal
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
        if not is_about_listening(error, listener):
            raise
        raise click.ClickException(f"cannot serve on {settings.edge.listen}: {error}") from error
