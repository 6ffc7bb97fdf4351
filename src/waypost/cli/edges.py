"""`waypost edges`: the edges on machines of their own."""

from datetime import UTC, datetime
from pathlib import Path

import click

from waypost.cli.control_database import control_database
from waypost.cli.options import config_option, data_option
from waypost.cli.tables import table
from waypost.control.edges.schema import NewEdge
from waypost.control.edges.service import add_edge, list_edges, remove_edge, report_of
from waypost.control.errors import NotFoundError
from waypost.control.sources import SYSTEM
from waypost.db.tables import Edge

_CONFIGURATION = """\
Put this into the settings file of that machine, and start `waypost edge --config FILE` there:

[edge]
name = "{name}"
control_url = "https://…"   # where the API is reached
credential = "{credential}"

The credential is shown this once. Who has it can fetch the link keys: keep it like a password."""


@click.group()
def edges() -> None:
    """Register, list and remove edges on machines of their own.

    They redirect without the core; from it they fetch link keys and the snapshot, and to it they hand over clicks. The
    edges of `waypost up` are not listed: they share its data directory.
    """


@edges.command()
@data_option
@config_option
@click.argument("name")
def add(data: Path, config: Path | None, name: str) -> None:
    """Register an edge and print its configuration, credential included."""
    with control_database(config, data) as (settings, database):
        if name == settings.edge.name:
            raise click.ClickException(
                f"{name} is the edge of this machine (edge.name), and clicks say by which one they came: give the "
                "other another name."
            )
        credential = add_edge(database, SYSTEM, NewEdge(name=name))
    click.echo(_CONFIGURATION.format(name=name, credential=credential))


@edges.command("list")
@data_option
@config_option
def list_(data: Path, config: Path | None) -> None:
    """List edges: when each was heard last, and which link keys all of its workers hold."""
    with control_database(config, data) as (_, database):
        found = list_edges(database)
    table(("NAME", "LAST HEARD", "WORKERS", "KEYS", "SNAPSHOT", "RELEASE"), [_row(edge) for edge in found])


@edges.command()
@data_option
@config_option
@click.argument("name")
def remove(data: Path, config: Path | None, name: str) -> None:
    """Forget an edge: its credential ends at once, and no link key waits for it any more.

    It goes on redirecting with the keys it has. Do this only once no reader is led to it: links sealed with later keys
    do not open there.
    """
    with control_database(config, data) as (_, database):
        try:
            remove_edge(database, name)
        except NotFoundError as error:
            raise click.ClickException(f"{error}: {name}") from error
    click.echo(f"{name} is removed.")


def _row(edge: Edge) -> tuple[str, ...]:
    report = report_of(edge)
    if report is None or edge.last_seen_at is None:
        return (edge.name, "never", "", "", "", "")
    keys = [str(key.key_id) for key in report.keys if report.holds(key.key_id, key.fingerprint)]
    version = min((worker.snapshot_version for worker in report.workers), default=0)
    snapshot = f"{datetime.fromtimestamp(version / 1000, UTC):%Y-%m-%d %H:%M:%S}" if version else "none"
    heard = f"{edge.last_seen_at:%Y-%m-%d %H:%M:%S}"
    return (edge.name, heard, str(len(report.workers)), ",".join(keys) or "none", snapshot, report.release)
