"""`waypost erase`: nothing tells of a recipient any more."""

import time
from pathlib import Path
from typing import Final

import click

from waypost.cli.control_database import control_database, named_account
from waypost.cli.options import config_option, data_option
from waypost.control.erasures.service import ask_for_erasure, find_erasure
from waypost.control.sources import SYSTEM
from waypost.db import Database, load_control_key
from waypost.db.states import ErasureState
from waypost.db.tables import Erasure
from waypost.pipeline.hold import is_held

_LOOK_SECONDS: Final = 0.5


@click.command()
@data_option
@config_option
@click.argument("address")
@click.option("--account", help="In what this account sent only: its id or e-mail address.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--no-wait", is_flag=True, help="Do not wait until it is done.")
def erase(data: Path, config: Path | None, address: str, account: str | None, *, yes: bool, no_wait: bool) -> None:
    """Erase every trace of a recipient's ADDRESS.

    Her sends, their content where nobody shares it, and mail still queued are deleted; clicks and opens are counted
    still, and tell nothing of who; those in segments that are set aside, too. Links that she has go on working. The
    core does it beside its other work, and takes it out of the stores' files within 24 hours.
    """
    with control_database(config, data) as (settings, database):
        within = named_account(database, account) if account else None
        key = load_control_key(settings.data)
        if not yes:
            where = f" in what {within.email} sent" if within else ""
            click.confirm(f"Erase every trace of {address}{where}? It cannot be undone.", abort=True)
        number = within.number if within else None
        asked = ask_for_erasure(database, SYSTEM, key, address.strip(), account=number, asked_by="cli")
        if not is_held(data / "spool"):
            click.echo("No core runs here: it is done as soon as one does.")
        elif not no_wait:
            _report(_done(database, asked))


def _done(database: Database, asked: Erasure) -> Erasure:
    while (erasure := find_erasure(database, asked.public_id, None)).state is ErasureState.REQUESTED:
        time.sleep(_LOOK_SECONDS)
    return erasure


def _report(erasure: Erasure) -> None:
    for table, rows in sorted(erasure.counts.items()):
        click.echo(f"{rows:>9,}  {table}")
    if erasure.quarantined_segments:
        click.echo(
            f"{erasure.quarantined_segments:,} segments that are set aside cannot be searched: `waypost spool verify` "
            "says why. They may hold a trace of her until they are deleted, after spool.quarantine_days."
        )
    click.echo("Erased. What is left in free pages and old files of the stores goes within 24 hours.")
