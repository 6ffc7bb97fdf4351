"""What is to be looked up again, and how far that is: a file in the data directory, between the command and the core.

The core owns the event store, so the command only asks. What is asked for survives a restart of either.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from waypost.keyfile.file import changing, replace_file
from waypost.pipeline.enrich import StepName

NAME: Final = "enrich.json"


class JobState(StrEnum):
    """How far it is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Round(Struct, frozen=True):
    """What is written at once: a share of the keys of one month."""

    step: StepName
    partition: str
    share: int
    shares: int


class Job(Struct, frozen=True, kw_only=True):
    """Steps to be run again over stored events."""

    asked_at: datetime
    """Aware, UTC; tells one job from the next."""
    steps: list[StepName]
    since: datetime | None = None
    """All events since; None: those for which a step failed or had nothing to work with."""
    state: JobState = JobState.WAITING
    rounds: list[Round] = []
    """Still to be done, in order."""
    events: int = 0
    """To be looked at; an event counts once for each step."""
    events_done: int = 0
    failures: int = 0
    """Distinct addresses or clients that a step failed for again; their events stay as they were."""
    problem: str = ""
    """Why it failed, or is stuck."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be done."""
        return self.state in {JobState.DONE, JobState.FAILED}


def job_path(data: Path) -> Path:
    """Where the job of a data directory is."""
    return data / NAME


def read_job(data: Path) -> Job | None:
    """The newest job, over or not.

    Raises:
        OSError: it cannot be read.
        msgspec.DecodeError: it is damaged.
    """
    try:
        return msgspec.json.decode(job_path(data).read_bytes(), type=Job)
    except FileNotFoundError:
        return None


def ask(data: Path, job: Job) -> Job:
    """Put a job in place; returns the one that is going on already, if there is one.

    Raises:
        OSError: it cannot be written.
        msgspec.DecodeError: as `read_job`.
    """
    return _change(data, lambda there: there if there is not None and not there.is_over else job) or job


def update(data: Path, job: Job) -> bool:
    """Say how far a job is; False when it was called off. Raises as `ask`."""
    return _change(data, lambda there: job if there is not None and there.asked_at == job.asked_at else there) == job


def call_off(data: Path) -> Job | None:
    """Do no more of the job there; what it was, if it was not over. Raises as `ask`."""
    path = job_path(data)
    with changing(path):
        there = read_job(data)
        path.unlink(missing_ok=True)
    return there if there is not None and not there.is_over else None


def _change(data: Path, change: Callable[[Job | None], Job | None]) -> Job | None:
    path = job_path(data)
    with changing(path):
        there = read_job(data)
        changed = change(there)
        if changed is not None and changed != there:
            replace_file(path, msgspec.json.encode(changed).decode())
    return changed
