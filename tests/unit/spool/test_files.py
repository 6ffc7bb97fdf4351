"""A directory that cannot be listed is never taken for an empty one."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from waypost.spool.conservation import account, worker_directories
from waypost.spool.counters import Count, Counters
from waypost.spool.files import Files
from waypost.spool.ledger import Entries, Ledger, read_ledger
from waypost.spool.names import OPEN_SUFFIX, SEALED_SUFFIX
from waypost.spool.reader import purge_done, purge_quarantined, sealed_segments


class UnlistableDirectory:
    """What `os.scandir` returns of a directory that can be opened, and of which the disk reads no entry."""

    def __init__(self, error: int) -> None:
        self._error = error

    def __enter__(self) -> Iterator[os.DirEntry[str]]:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to close."""

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        return self

    def __next__(self) -> os.DirEntry[str]:
        raise OSError(self._error, os.strerror(self._error))


@pytest.fixture(params=[errno.EIO, errno.EACCES], ids=["disk fails", "not allowed"])
def unlistable(request, monkeypatch):
    """A context in which no directory can be listed."""

    @contextmanager
    def unlistable():
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", lambda _: UnlistableDirectory(request.param))
            yield

    return unlistable


CANNOT_BE_LISTED = re.compile(f"{os.strerror(errno.EIO)}|{os.strerror(errno.EACCES)}")


def test_files_are_listed_by_name_and_by_the_end_of_it(tmp_path) -> None:
    for name in ("b.seg", "a.seg", ".c.seg", "d.open", "seg"):
        (tmp_path / name).touch()
    assert [path.name for path in Files().names(tmp_path, ".seg")] == [".c.seg", "a.seg", "b.seg"]
    assert Files().names(tmp_path / "none", ".seg") == []


def test_a_spool_on_a_disk_of_its_own_has_no_worker_named_lost_and_found(tmp_path) -> None:
    for name in ("edge-1", "edge-0", "lost+found"):
        (tmp_path / name).mkdir()
    assert [path.name for path in worker_directories(tmp_path)] == ["edge-0", "edge-1"]


@pytest.mark.parametrize(
    "look",
    [
        lambda directory: Files().names(directory, OPEN_SUFFIX),
        sealed_segments,
        lambda directory: purge_done(directory, 0, 0),
        lambda directory: purge_quarantined(directory, 0, 1),
        worker_directories,
        account,
        lambda directory: account(directory, closed=True),
    ],
    ids=["names", "segments", "stored ones", "quarantined ones", "workers", "account", "closed account"],
)
def test_whoever_lists_a_directory_hears_that_it_cannot_be_listed(tmp_path, unlistable, look) -> None:
    with unlistable(), pytest.raises(OSError, match=CANNOT_BE_LISTED):
        look(tmp_path)


def test_a_tail_that_was_counted_lost_is_not_stored_after_a_look_that_failed(
    spool, make_writer, make_hit, files, unlistable
) -> None:
    files.make_directory(spool)

    counters = Counters.open(spool, Files())
    failing = make_writer(counters)
    failing.write([make_hit(0)])
    failing.sync()
    failing.write([make_hit(1), make_hit(2)])
    files.fail = {"sync": errno.EIO}
    assert failing.sync() is Count.LOST_IO_ERROR
    files.fail = {}
    counters.add(Count.ANSWERED, 3)
    with unlistable():
        failing.tick()
        failing.close()
    make_writer(Counters.open(spool, Files())).close()
    now = account(spool)
    assert (now.backlog.records, now.lost, now.difference) == (1, 2, 0)


def test_the_ledger_enters_no_segment_of_which_it_cannot_see_whether_it_was_taken_away(tmp_path, unlistable) -> None:
    class Killed(BaseException):
        pass

    class KillingFiles(Files):
        def unlink(self, _path) -> None:
            raise Killed

    segment = tmp_path / f"edge-0.019cb7d4-0d59-7000-8000-000000000001{SEALED_SUFFIX}"
    segment.touch()
    with pytest.raises(Killed):
        Ledger.open(tmp_path, KillingFiles()).settle(segment, None, stored=3)
    for look in (read_ledger, Ledger.open):
        with unlistable(), pytest.raises(OSError, match=CANNOT_BE_LISTED):
            look(tmp_path)
    assert Ledger.open(tmp_path).entries == Entries(0, 0)
