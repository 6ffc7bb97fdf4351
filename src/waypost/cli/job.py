"""Ask the core to do something with stored events again, and show how far it is."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import click
import msgspec

from waypost.cli.options import not_there
from waypost.pipeline.hold import is_held
from waypost.pipeline.job import Job, JobFile, JobState

_LOOK_SECONDS: Final = 0.5

SomeJob = TypeVar("SomeJob", bound=Job)


def since_option(text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option that says from when on."""
    return click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help=text)


def job_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of every such command."""
    command = click.option("--no-wait", is_flag=True, help="Ask, and do not wait for the end.")(command)
    return click.option("--stop", is_flag=True, help="Do no more of what was asked for.")(command)


def ask_for(
    file: JobFile[SomeJob], data: Path, wanted: SomeJob, said: Callable[[SomeJob], str], *, stop: bool, no_wait: bool
) -> None:
    """Put a job in place, or call it off, and watch it.

    Args:
        file: of its kind.
        data: the data directory.
        wanted: the job.
        said: what to say at its end.
        stop: call off what is there instead.
        no_wait: do not watch.
    """
    if not data.is_dir():
        raise not_there("there is no data directory", data)
    try:
        if stop:
            click.echo("Nothing more is done." if file.call_off(data) else "Nothing was asked for.")
            return
        job = file.ask(data, wanted)
        if job != wanted:
            click.echo(
                f"Asked for at {job.asked_at:%Y-%m-%d %H:%M:%S} already, and not over; --stop ends it.", err=True
            )
        if not is_held(data / "spool"):
            click.echo("No core runs here: it begins, or goes on, as soon as one does.")
        elif not no_wait:
            click.echo(said(_over(file, data, job)))
    except (OSError, msgspec.DecodeError) as error:
        raise click.ClickException(f"{error}. Run this as the user that Waypost runs as.") from error


def _over(file: JobFile[SomeJob], data: Path, job: SomeJob) -> SomeJob:
    """Show how far the job is until it is over."""
    shown = None
    while not job.is_over:
        if job.state is JobState.RUNNING and (job.events_done, job.problem) != shown:
            shown = job.events_done, job.problem
            click.echo(f"{job.events_done:,} of {job.events:,} looked at {job.problem}".rstrip(), err=True)
        time.sleep(_LOOK_SECONDS)
        there = file.read(data)
        if there is None or there.asked_at != job.asked_at:
            raise click.ClickException("it was stopped")
        job = there
    if job.state is JobState.FAILED:
        raise click.ClickException(f"after {job.events_done:,} of {job.events:,}: {job.problem}")
    return job
