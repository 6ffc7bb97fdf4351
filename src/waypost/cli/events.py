"""`waypost events`: what is stored of readers."""

from datetime import UTC, datetime
from pathlib import Path

import click

from waypost.cli.job import ask_for, job_options, since_option
from waypost.cli.options import data_option
from waypost.cli.tail import tail
from waypost.pipeline.enrich import StepName
from waypost.pipeline.reclassify import RECLASSIFY, ReclassifyJob
from waypost.pipeline.reenrich import ENRICH, EnrichJob


@click.group()
def events() -> None:
    """See what is stored, and look again at it: where and with what it was, and whether by a person."""


events.add_command(tail)


@events.command()
@data_option
@since_option(
    "All clicks and opens since then (UTC), with the databases and rules of today. Without it, those only for which a "
    "step failed, or had no database yet."
)
@click.option(
    "--step",
    "steps",
    multiple=True,
    type=click.Choice([step.value for step in StepName]),
    help="This step only; repeatable.",
)
@job_options
def enrich(data: Path, since: datetime | None, steps: tuple[str, ...], *, stop: bool, no_wait: bool) -> None:
    """Work out place and client of stored events again, and write them in place.

    The core does it beside its other work, month by month, and goes on after a restart. Totals never change meanwhile:
    no event is added, removed or seen twice. Interrupting this command does not stop it; asking again shows how far it
    is.
    """
    wanted = EnrichJob(
        asked_at=datetime.now(UTC),
        steps=[StepName(step) for step in dict.fromkeys(steps)] or list(StepName),
        since=_utc(since),
    )
    ask_for(ENRICH, data, wanted, _enriched, stop=stop, no_wait=no_wait)


@events.command()
@data_option
@since_option("Clicks and opens since then (UTC) only.")
@job_options
def reclassify(data: Path, since: datetime | None, *, stop: bool, no_wait: bool) -> None:
    """Judge stored clicks and opens again, by the rules of today: human, machine or unknown.

    For after an update whose rules differ, or after `waypost events enrich`. The core does it beside its other work and
    goes on after a restart. No event is added or removed, and no webhook tells of it. At the end it says what changed.
    """
    wanted = ReclassifyJob(asked_at=datetime.now(UTC), since=_utc(since))
    ask_for(RECLASSIFY, data, wanted, _reclassified, stop=stop, no_wait=no_wait)


def _enriched(job: EnrichJob) -> str:
    left = f" A step failed for {job.failures:,} addresses or clients: the core's log says why." if job.failures else ""
    return f"{job.events_done:,} of {job.events:,} looked up, by {', '.join(job.steps)}.{left}"


def _reclassified(job: ReclassifyJob) -> str:
    changes = "".join(f"\n  {count:>11,}  {change}" for change, count in sorted(job.changes.items()))
    kept = f" {job.kept:,} keep theirs: what it rests on is not kept any more." if job.kept else ""
    return f"{job.events_done:,} looked at: {'these changed.' if changes else 'none changed.'}{kept}{changes}"


def _utc(since: datetime | None) -> datetime | None:
    return since.replace(tzinfo=UTC) if since else None
