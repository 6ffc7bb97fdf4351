"""The page of the counters: kills, losses of power, directories moved and restored, a machine without such memory."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from waypost.spool import SpoolInUseError
from waypost.spool.conservation import account
from waypost.spool.counters import COUNTERS_NAME, Count, Counters, read_counters
from waypost.spool.files import Files
from waypost.spool.page import place_of


@pytest.fixture
def directory(spool: Path) -> Path:
    spool.mkdir()
    return spool


class StuckDisk(Files):
    """Takes no page any more, and says so rather than make a test wait."""

    stuck = False

    def write_page(self, path: Path, page: bytes) -> None:
        if self.stuck:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        super().write_page(path, page)


def kept(directory: Path) -> int:
    return read_counters(directory)[Count.KEPT]


def begun(directory: Path, count: int) -> Counters:
    counters = Counters.open(directory, Files())
    counters.add(Count.KEPT, count)
    return counters


def test_a_count_touches_no_disk_and_is_read_at_once_and_by_the_next_process(directory) -> None:
    on_disk = directory / COUNTERS_NAME
    begun(directory, 0)
    before = on_disk.read_bytes()
    begun(directory, 3)
    assert kept(directory) == 3
    assert before[8:24] == on_disk.read_bytes()[8:24]
    assert begun(directory, 4)[Count.KEPT] == kept(directory) == 7


def test_a_loss_of_power_leaves_what_was_copied(directory, memory) -> None:
    counters = begun(directory, 3)
    counters.save()
    counters.add(Count.KEPT, 2)
    shutil.rmtree(memory)
    memory.mkdir()
    assert kept(directory) == 3
    assert begun(directory, 1)[Count.KEPT] == 4


def test_an_orderly_end_leaves_all_on_the_disk_and_nothing_in_memory(directory, memory) -> None:
    begun(directory, 3).close()
    assert list(memory.iterdir()) == []
    assert kept(directory) == 3


def test_what_somebody_has_tidied_away_is_left_on_the_disk_all_the_same(directory, memory, caplog) -> None:
    counters = begun(directory, 3)
    place_of(directory).unlink()
    counters.close()
    assert kept(directory) == 3
    assert caplog.records == []
    assert list(memory.iterdir()) == []


def test_what_cannot_be_copied_stays_in_memory(directory, caplog) -> None:
    files = StuckDisk()
    counters = Counters.open(directory, files)
    files.stuck = True
    counters.add(Count.KEPT, 3)
    counters.save()
    counters.close()
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "counts cannot be copied to the disk, and a loss of power would lose them"
    ]
    assert kept(directory) == 3
    assert begun(directory, 1)[Count.KEPT] == 4


@pytest.mark.parametrize("elsewhere", [0, 5], ids=["restored", "moved away, counted, and moved back"])
def test_a_directory_that_was_elsewhere_meanwhile_counts_as_it_came_back(
    directory, memory, elsewhere, tmp_path
) -> None:
    """What is in this machine's memory is of before."""
    counters = begun(directory, 3)
    counters.save()
    backup = (directory / COUNTERS_NAME).read_bytes()
    begun(directory, 2)
    if elsewhere:
        shutil.move(memory, tmp_path / "of this machine")
        memory.mkdir()
        begun(directory, elsewhere).close()
        shutil.rmtree(memory)
        shutil.move(tmp_path / "of this machine", memory)
    else:
        (directory / COUNTERS_NAME).write_bytes(backup)
    assert kept(directory) == 3 + elsewhere
    assert begun(directory, 1)[Count.KEPT] == 4 + elsewhere


def test_a_kill_at_any_moment_of_taking_the_page_over_loses_no_count(directory) -> None:
    """Before the copy is written and after it, before what is in memory is numbered."""

    class Killed(BaseException):
        pass

    class KillingFiles(Files):
        def __init__(self, *, after: bool) -> None:
            self.after = after

        def write_page(self, path: Path, page: bytes) -> None:
            if self.after:
                super().write_page(path, page)
            raise Killed

    begun(directory, 3)  # counted after what is on the disk was
    for after in (False, True):
        for _ in range(2):
            with pytest.raises(Killed):
                Counters.open(directory, KillingFiles(after=after))
            assert kept(directory) == 3
    assert begun(directory, 1)[Count.KEPT] == 4


def test_one_that_is_taken_over_between_two_looks_is_looked_at_again(directory, monkeypatch) -> None:
    counters = begun(directory, 3)
    counters.add(Count.KEPT, 1)
    look = Files.read_page

    def taken_over_after(files: Files, path: Path) -> bytes:
        seen = look(files, path)
        monkeypatch.setattr(Files, "read_page", look)
        Counters.open(directory, Files())
        return seen

    monkeypatch.setattr(Files, "read_page", taken_over_after)
    assert kept(directory) == 4


@pytest.mark.parametrize("trouble", ["no memory", "a link", "another's"])
def test_where_no_memory_outlives_a_process_the_file_on_the_disk_is_mapped(
    directory, memory, trouble, caplog, tmp_path, monkeypatch
) -> None:
    begun(directory, 2).close()
    if trouble == "no memory":
        memory.rmdir()
    elif trouble == "a link":
        (tmp_path / "theirs").touch()
        place_of(directory).symlink_to(tmp_path / "theirs")
    else:
        place_of(directory).touch()
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    begun(directory, 3)
    assert "counts are kept on the disk only, and readers wait when it stands still" in caplog.text
    assert kept(directory) == 5
    monkeypatch.undo()
    assert Counters.open(directory, Files())[Count.KEPT] == 5


def test_the_page_of_another_user_is_not_believed(directory) -> None:
    begun(directory, 3).save()
    os.chown(place_of(directory), 65534, 65534)
    begun_by_another = memoryview(bytearray(place_of(directory).read_bytes())).cast("Q")
    begun_by_another[2] = 1_000_000
    place_of(directory).write_bytes(begun_by_another.tobytes())
    assert kept(directory) == 3


class Worker:
    """A spool as a worker's process opens it, to be killed with or without what is in memory."""

    def __init__(self, make_writer, make_hit, files, clock, **settings: int) -> None:
        self.make_hit = make_hit
        self.files = files
        self.clock = clock
        self.counters = Counters.in_memory(until_kept=True)
        self.writer = make_writer(self.counters, **settings)

    def answer(self, count: int) -> None:
        self.writer.write([self.make_hit(number) for number in range(count)])
        self.writer.sync()
        self.counters.add(Count.ANSWERED, count)

    def seal(self) -> None:
        self.clock.seconds += 2
        self.writer.tick()

    def kill(self) -> None:
        self.files.close(self.writer._lock)


@pytest.fixture
def start(make_writer, make_hit, files, clock):
    return lambda **settings: Worker(make_writer, make_hit, files, clock, **settings)


def test_a_second_process_on_a_directory_in_use_touches_no_count(start, directory) -> None:
    worker = start()
    worker.answer(3)
    before = (directory / COUNTERS_NAME).read_bytes(), place_of(directory).read_bytes()
    with pytest.raises(SpoolInUseError):
        start()
    assert ((directory / COUNTERS_NAME).read_bytes(), place_of(directory).read_bytes()) == before
    worker.answer(2)
    worker.kill()
    start().writer.close()
    assert (read_counters(directory)[Count.ANSWERED], account(directory).difference) == (5, 0)


def test_where_a_kill_takes_the_memory_with_it_the_account_adds_up_all_the_same(start, directory, memory) -> None:
    """As of a container that is made anew: files and copy are as the kernel has them."""

    class Killed(BaseException):
        pass

    def gone(worker: Worker) -> None:
        worker.kill()
        for path in memory.iterdir():
            path.unlink()

    def killed_after_the_rename(*_: object) -> None:
        raise Killed

    worker = start()
    worker.answer(3)
    gone(worker)
    gone(start())
    worker = start()
    worker.answer(4)
    worker.files.sync_directory, sync_directory = killed_after_the_rename, worker.files.sync_directory
    with pytest.raises(Killed):
        worker.seal()
    worker.files.sync_directory = sync_directory
    gone(worker)
    worker = start(max_bytes=1)
    worker.answer(5)
    worker.seal()
    gone(worker)
    worker = start()
    worker.answer(1)
    worker.files.fail = {"write": errno.ENOSPC}
    worker.answer(6)
    worker.files.fail = {}
    gone(worker)
    start().writer.close()
    said = account(directory)
    assert (said.difference, said.counts[Count.DROPPED] > 0, said.lost) == (0, True, 6)
