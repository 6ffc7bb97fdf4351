"""`waypost events`: what is stored of readers."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec

from waypost.cli.options import data_option
from waypost.pipeline.enrich import StepName
from waypost.pipeline.hold import is_held
from waypost.pipeline.job import JobState
from waypost.pipeline.reenrich import ENRICH, EnrichJob

_LOOK_SECONDS: Final = 0.5


@click.group()
def events() -> None:
    """Look up again where and with what stored events were."""


@events.command()
@data_option
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="All clicks and opens since then (UTC), with the databases and rules of today. Without it, those only for "
    "which a step failed, or had no database yet.",
)
@click.option(
    "--step",
    "steps",
    multiple=True,
    type=click.Choice([step.value for step in StepName]),
    help="This step only; repeatable.",
)
@click.option("--stop", is_flag=True, help="Do no more of what was asked for.")
@click.option("--no-wait", is_flag=True, help="Ask, and do not wait for the end.")
def enrich(data: Path, since: datetime | None, steps: tuple[str, ...], *, stop: bool, no_wait: bool) -> None:
    """Work out place and client of stored events again, and write them in place.

    The core does it beside its other work, month by month, and goes on after a restart. Totals never change meanwhile:
    no event is added, removed or seen twice. Interrupting this command does not stop it; asking again shows how far it
    is.
    """
    if not data.is_dir():
        raise click.ClickException(f"there is no data directory {data}: name the one of `waypost up` with --data")
    try:
        if stop:
            click.echo("Nothing more is done." if ENRICH.call_off(data) else "Nothing was asked for.")
            return
        wanted = EnrichJob(
            asked_at=datetime.now(UTC),
            steps=[StepName(step) for step in dict.fromkeys(steps)] or list(StepName),
            since=since.replace(tzinfo=UTC) if since else None,
        )
        job = ENRICH.ask(data, wanted)
        if job != wanted:
            click.echo(
                f"Asked for at {job.asked_at:%Y-%m-%d %H:%M:%S} already, and not over; --stop ends it.", err=True
            )
        if not is_held(data / "spool"):
            click.echo("No core runs here: it begins, or goes on, as soon as one does.")
        elif not no_wait:
            _watch(data, job)
    except (OSError, msgspec.DecodeError) as error:
        raise click.ClickException(f"{error}. Run this as the user that Waypost runs as.") from error


def _watch(data: Path, job: EnrichJob) -> None:
    """Show how far the job is until it is over."""
    shown = None
    while not job.is_over:
        if job.state is JobState.RUNNING and (job.events_done, job.problem) != shown:
            shown = job.events_done, job.problem
            click.echo(f"{job.events_done:,} of {job.events:,} looked up {job.problem}".rstrip(), err=True)
        time.sleep(_LOOK_SECONDS)
        there = ENRICH.read(data)
        if there is None or there.asked_at != job.asked_at:
            raise click.ClickException("it was stopped")
        job = there
    if job.state is JobState.FAILED:
        raise click.ClickException(f"after {job.events_done:,} of {job.events:,}: {job.problem}")
    left = f" A step failed for {job.failures:,} addresses or clients: the core's log says why." if job.failures else ""
    click.echo(f"{job.events_done:,} of {job.events:,} looked up, by {', '.join(job.steps)}.{left}")
