"""`waypost agent`: what stands beside the edge workers of a machine."""

import os
from pathlib import Path

import click

from waypost.agent import process
from waypost.agent.errors import NotConfigured
from waypost.cli.edge_worker import is_about_listening, listener_option, parent_option, with_workers, workers_option
from waypost.cli.options import config_option, data_option, load_settings
from waypost.telemetry import logs, parent, readiness


@click.command()
@data_option
@config_option
@workers_option
@parent_option
@listener_option
def agent(
    data: Path, config: Path | None, workers: int | None, parent_process: int | None, listener: int | None
) -> None:
    """Tell how the edge of this machine is: /livez, /readyz, /metrics and /ask on edge.internal_listen.

    Where the core is on another machine it hands the clicks over to it, too, and fetches from it what edges must know.
    `waypost up` and `waypost edge` run it; redirects do not need it.
    """
    logs.configure("agent")
    if parent_process is not None:
        parent.end_with_parent(parent_process)
    settings = with_workers(load_settings(config, data), workers)
    try:
        process.run(settings, listener=listener, on_ready=lambda: readiness.announce_ready(os.environ))
    except NotConfigured as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        if not is_about_listening(error, listener):
            raise
        raise click.ClickException(f"cannot serve on {settings.edge.internal_listen}: {error}") from error
