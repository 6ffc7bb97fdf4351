"""Where the demo keeps its data: made anew each time, and never while a demo uses it."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from waypost.cli.machine import LOCK_FILE


class BusyError(Exception):
    """A demo runs there; the message names its process."""


@contextmanager
def fresh(folder: Path) -> Iterator[None]:
    """An empty `folder`, this process's own until the end. The lock is beside it: it must outlive what is in there.

    Raises:
        BusyError: a demo uses it, or a demo that was killed left its `waypost up` running there. Nothing is deleted.
    """
    with _held(folder.with_name(f"{folder.name}.lock")) as lock:
        left = folder / "data" / LOCK_FILE
        if left.exists():
            with _held(left):
                pass
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield


@contextmanager
def _held(path: Path) -> Iterator[TextIO]:
    with path.open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise BusyError(f"A demo already runs here (process {lock.read().strip()}): stop it first.") from error
        yield lock
