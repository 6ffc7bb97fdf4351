"""One collector holds a spool at a time; the kernel lets go of it when the process ends, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from waypost.pipeline.errors import CollectorRunningError

_LOCK_NAME: Final = "collector.lock"


@contextmanager
def hold(spool: Path) -> Iterator[None]:
    """Hold the spool of all edges, made when missing, for as long as the block runs.

    Raises:
        CollectorRunningError: another process does.
    """
    spool.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(spool / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise CollectorRunningError(spool) from error
    finally:
        os.close(descriptor)
