"""One collector holds a spool, or a segment handed over: by locks that end with the process, however it ends."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import text

from waypost.db import Database
from waypost.pipeline.errors import CollectorRunningError

Hold = Callable[[Iterable[str]], AbstractContextManager[frozenset[str]]]
"""Holds what is named, as much of it as can be had, while a block runs: `hold_segments`, with a database."""

_LOCK_NAME: Final = "collector.lock"
_LOCKS: Final = Path("/proc/locks")


@contextmanager
def hold_segments(database: Database, segment_ids: Iterable[str]) -> Iterator[frozenset[str]]:
    """Hold segments that edges hand over, as many of them as no other collector holds, while the block runs.

    Several cores can share PostgreSQL and one event store, and an edge whose request timed out comes again to another
    of them while the first still inserts. The locks are PostgreSQL's own, of a session: they end with the process that
    has them, without a lease to wait for. On SQLite there is one core, and `hold` sees to that.

    Raises:
        SQLAlchemyError: the database cannot be asked.
    """
    if database.engine.dialect.name == "sqlite":
        yield frozenset(segment_ids)
        return
    with database.engine.connect() as connection:
        held = frozenset(
            segment_id
            for segment_id in segment_ids
            if connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _lock_key(segment_id)})
        )
        connection.commit()  # the locks are the session's: no transaction stays open while the store works
        try:
            yield held
        finally:
            connection.execute(text("SELECT pg_advisory_unlock_all()"))
            connection.commit()


def _lock_key(segment_id: str) -> int:
    """64 bits, signed, as PostgreSQL has them."""
    return int.from_bytes(hashlib.blake2b(segment_id.encode(), digest_size=8).digest(), signed=True)


def is_held(spool: Path) -> bool:
    """Whether a process of this machine collects this spool now.

    The kernel's list is read: trying the lock would take it from a core that starts at that moment.
    """
    try:
        inode = (spool / _LOCK_NAME).stat().st_ino
    except FileNotFoundError:
        return False
    return any(" FLOCK " in line and f":{inode} " in line for line in _LOCKS.read_text("ascii").splitlines())


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
