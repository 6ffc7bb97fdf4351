"""What is to be done again with stored events, and how far that is: a file between the command and the core.

The core owns the event store, so the command only asks. What is asked for survives a restart of either.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from waypost.keyfile.file import changing, file_stamp, replace_file


class JobState(StrEnum):
    """How far it is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Job(Struct, frozen=True, kw_only=True):
    """What every job says."""

    asked_at: datetime
    """Aware, UTC; tells one job from the next."""
    since: datetime | None = None
    """All events since."""
    state: JobState = JobState.WAITING
    events: int = 0
    """To be looked at."""
    events_done: int = 0
    problem: str = ""
    """Why it failed, or is stuck."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be done."""
        return self.state in {JobState.DONE, JobState.FAILED}


SomeJob = TypeVar("SomeJob", bound=Job)


class JobFile(Generic[SomeJob]):
    """The newest job of one kind in a data directory.

    Every method raises OSError when the file cannot be read or written, msgspec.DecodeError when it is damaged.
    """

    def __init__(self, name: str, kind: type[SomeJob]) -> None:
        """Name of the file, and what is in it."""
        self._name = name
        self._kind = kind

    def path(self, data: Path) -> Path:
        """Where it is."""
        return data / self._name

    def read(self, data: Path) -> SomeJob | None:
        """The job, over or not."""
        try:
            return msgspec.json.decode(self.path(data).read_bytes(), type=self._kind)
        except FileNotFoundError:
            return None

    def ask(self, data: Path, job: SomeJob) -> SomeJob:
        """Put a job in place; returns the one that is going on already, if there is one."""
        return self._change(data, lambda there: there if there is not None and not there.is_over else job) or job

    def update(self, data: Path, job: SomeJob) -> bool:
        """Say how far a job is; False when it was called off."""
        return self._change(data, lambda there: job if there and there.asked_at == job.asked_at else there) == job

    def call_off(self, data: Path, job: SomeJob | None = None) -> SomeJob | None:
        """Do no more of the job there, or of this one if it is there; what it was, if it was not over."""
        path = self.path(data)
        with changing(path):
            there = self.read(data)
            if job is not None and (there is None or there.asked_at != job.asked_at):
                return None
            path.unlink(missing_ok=True)
        return there if there is not None and not there.is_over else None

    def _change(self, data: Path, change: Callable[[SomeJob | None], SomeJob | None]) -> SomeJob | None:
        path = self.path(data)
        with changing(path):
            there = self.read(data)
            changed = change(there)
            if changed is not None and changed != there:
                replace_file(path, msgspec.json.encode(changed).decode())
        return changed


class JobWatch(Generic[SomeJob]):
    """What the core knows of a job file: read again when it changed."""

    def __init__(self, file: JobFile[SomeJob], data: Path) -> None:
        """Nothing is read yet."""
        self._file = file
        self._data = data
        self._stamp: tuple[int, int, int] | None = None
        self._job: SomeJob | None = None

    def newest(self) -> SomeJob | None:
        """The job that is to be gone on with, if there is one."""
        if (stamp := file_stamp(self._file.path(self._data))) != self._stamp:
            self._job = self._file.read(self._data)
            self._stamp = stamp
        return None if self._job is None or self._job.is_over else self._job
