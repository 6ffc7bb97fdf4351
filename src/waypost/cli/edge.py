"""`waypost edge`: the redirect server of a machine without a core."""

import asyncio
import os
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Final

import click

from waypost import __version__
from waypost.agent.core import Core, check_configured
from waypost.agent.documents import Documents
from waypost.agent.errors import CoreError, NotConfigured
from waypost.cli.edge_worker import with_workers, workers_option
from waypost.cli.machine import listen, only_one, services, supervise_until_signal
from waypost.cli.options import config_option, data_option, load_settings
from waypost.cli.supervisor import StartFailedError
from waypost.config import Settings
from waypost.keyfile import KeyfileError, keyring_path, load_keyring

CATCH_UP_SECONDS: Final = 3.0
"""It answers from memory; a front waits 5 s for an edge that is started again."""


@click.command()
@data_option
@config_option
@workers_option
def edge(data: Path, config: Path | None, workers: int | None) -> None:
    """Serve redirects: an agent and N workers, each started again when it ends.

    It needs the keyring in the data directory and nothing else: no database, no network. Clicks wait in the spool
    directory until a pipeline takes them; with edge.control_url, the agent hands them over. Ctrl+C or SIGTERM stops it,
    after it answered what was asked; SIGUSR1 starts its processes again, one after the other, without losing a reader.
    """
    settings = with_workers(load_settings(config, data), workers)
    try:
        if settings.edge.control_url:
            check_configured(settings)
            _first_keyring(settings)
        load_keyring(keyring_path(data))
    except (KeyfileError, NotConfigured) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Waypost {__version__}, data in {data.resolve()}")
    with only_one(data), ExitStack() as held:
        sockets = listen(settings, held, os.environ)
        if settings.edge.control_url:
            _catch_up(settings)
        children = services(settings, config, sockets)
        try:
            asyncio.run(supervise_until_signal(children, on_stop=held.close))
        except StartFailedError as error:
            raise click.ClickException(f"{error}; its own message is above. Everything is stopped.") from error
    click.echo("Stopped.")


def _first_keyring(settings: Settings) -> None:
    """Fetch the keyring where there is none: without it no link opens, so nothing is started before it is here."""
    path = keyring_path(settings.data)
    if path.exists():
        return
    failure: Exception | None = None
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        Documents(Core(settings), settings.data).fetch()
    except (CoreError, OSError) as error:
        failure = error
    if not path.exists():
        raise click.ClickException(
            f"There is no keyring at {path}, and {settings.edge.control_url} gives none: {failure}. "
            "Check edge.control_url and edge.credential (`waypost edges add NAME` where the core is), or bring a copy: "
            f"there `waypost keys export FILE`, here cp FILE {path} && chmod 600 {path}."
        ) from failure
    click.echo(f"Fetched the keyring from {settings.edge.control_url}.")


def _catch_up(settings: Settings) -> None:
    """Take what the core publishes now, if it says so soon. Readers who come meanwhile wait.

    What is here may be an old backup: new links would not open, and what was blocked since would redirect.
    """
    said: list[str] = []

    def ask() -> None:
        try:
            Documents(Core(settings), settings.data).fetch()
        except (CoreError, OSError, KeyfileError) as error:
            said.append(str(error))

    # On a thread, because a resolver that is down takes its time and cannot be stopped.
    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(CATCH_UP_SECONDS)
    if asking.is_alive():
        said.append(f"no answer in {CATCH_UP_SECONDS:g} s")
    if said:
        click.echo(f"{settings.edge.control_url} gives no news: {said[0]}. Starting with what is here.")
