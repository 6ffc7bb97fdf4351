"""Every answered hit is somewhere: the account of a directory adds up at every stage of a segment's life."""

import pytest

from waypost.spool.conservation import IN_HAND_SECONDS, LOOKS, account, steady_account, worker_directories
from waypost.spool.counters import Count, Counters
from waypost.spool.files import Files
from waypost.spool.ledger import Ledger
from waypost.spool.names import DONE_SUFFIX, QUARANTINE_SUFFIX
from waypost.spool.reader import count_records, replayed_segments, sealed_segments
from waypost.spool.replay import Settled, hand_back, settled_segments
from waypost.spool.segments import SegmentWriter


def test_the_account_adds_up_from_answer_to_store(tmp_path, make_hit, files, clock) -> None:
    directory = tmp_path / "edge-0"
    directory.mkdir()
    counters = Counters.open(directory, Files())
    writer = SegmentWriter(
        directory, "edge-0", counters, sync=True, segment_bytes=10**6, segment_seconds=1.0, files=files,
        monotonic=clock, now=clock.now,
    )  # fmt: skip
    writer.prepare()

    def answer(count):
        outcome = writer.write([make_hit(number) for number in range(count)]) or writer.sync()
        counters.add(Count.ANSWERED, count)
        return outcome

    def seal():
        clock.seconds += 2
        writer.tick()

    assert account(directory).difference == 0
    answer(3)
    assert (account(directory).backlog.records, account(directory).difference) == (3, 0)
    seal()
    answer(4)
    seal()
    answer(5)
    now = account(directory)
    assert (now.backlog.segments, now.backlog.records, now.difference) == (3, 12, 0)
    files.fail["write"] = 28
    assert answer(2) is Count.LOST_NO_SPACE
    assert (account(directory).lost, account(directory).difference) == (2, 0)
    files.fail.clear()
    clock.seconds += 2
    answer(1)
    seal()
    ledger = Ledger.open(directory)
    first, second, *_ = sealed_segments(directory)
    ledger.settle(first, DONE_SUFFIX, stored=3)
    ledger.settle(second, QUARANTINE_SUFFIX, stored=3, quarantined=1)
    now = account(directory)
    assert (now.stored, now.quarantined, now.backlog.records, now.difference) == (6, 1, 6, 0)
    for settled in Settled:
        for path in settled_segments(directory, settled):
            hand_back(path)
            assert account(directory) == now
    for path in replayed_segments(directory):
        ledger.settle(path, DONE_SUFFIX, stored=count_records(path))
    now = account(directory)
    assert (now.stored, now.quarantined, now.backlog.records, now.difference) == (7, 0, 6, 0)


def test_an_answered_hit_that_is_nowhere_shows(tmp_path) -> None:
    counters = Counters.open(tmp_path, Files())
    counters.add(Count.ANSWERED, 2)
    assert account(tmp_path).difference == 2


def test_the_workers_are_the_directories_of_the_spool(tmp_path) -> None:
    assert worker_directories(tmp_path / "spool") == []
    for name in ("edge-1", "edge-0"):
        (tmp_path / name).mkdir()
    (tmp_path / "collector.lock").touch()
    assert [path.name for path in worker_directories(tmp_path)] == ["edge-0", "edge-1"]


class Killed(BaseException):
    pass


class KillingFiles(Files):
    """Dies just before or after a call."""

    def __init__(self, call, *, after) -> None:
        self.call = call
        self.after = after

    def rename(self, old, new):
        self._do("rename", old, new)

    def unlink(self, path):
        self._do("unlink", path)

    def _do(self, call, *arguments):
        mine = call == self.call and arguments[-1].suffix == ".drop"
        if not mine or self.after:
            getattr(super(), call)(*arguments)
        if mine:
            raise Killed


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", ["rename", "unlink"])
def test_a_writer_killed_while_it_drops_a_segment_counts_it_once(tmp_path, make_hit, clock, call, after) -> None:
    killing, files = KillingFiles(call, after=after), Files()

    def start(files):
        counters = Counters.open(tmp_path, Files())
        writer = SegmentWriter(
            tmp_path, "edge-0", counters, sync=False, segment_bytes=1, segment_seconds=1.0, max_bytes=1,
            files=files, monotonic=clock, now=clock.now,
        )  # fmt: skip
        writer.prepare()
        return writer, counters

    writer, counters = start(killing)
    writer.write([make_hit(1), make_hit(2)])
    counters.add(Count.ANSWERED, 2)
    with pytest.raises(Killed):
        writer.sync()
    files.close(writer._lock)
    assert account(tmp_path, closed=True).difference == 0
    writer, counters = start(files)
    gone = (call, after) != ("rename", False)
    assert counters[Count.DROPPED] == (2 if gone else 0)
    assert account(tmp_path).difference == 0
    assert not list(tmp_path.glob("*.drop"))
    writer.write([make_hit(3)])
    counters.add(Count.ANSWERED, 1)
    writer.sync()
    assert (counters[Count.DROPPED], account(tmp_path).difference) == (3, 0)


class Worker:
    """A writer and its counters, to be killed at chosen moments."""

    def __init__(self, directory, make_hit, files, clock) -> None:
        self.directory = directory
        self.make_hit = make_hit
        self.files = files
        self.clock = clock
        directory.mkdir(exist_ok=True)
        self.start()

    def start(self) -> None:
        self.counters = Counters.open(self.directory, Files())
        self.writer = SegmentWriter(
            self.directory, "edge-0", self.counters, sync=True, segment_bytes=10**6, segment_seconds=1.0,
            files=self.files, monotonic=self.clock, now=self.clock.now,
        )  # fmt: skip
        self.writer.prepare()

    def write(self, count):
        return self.writer.write([self.make_hit(number) for number in range(count)])

    def answer(self, count):
        self.write(count)
        self.writer.sync()
        self.counters.add(Count.ANSWERED, count)

    def kill(self):
        self.writer._files.close(self.writer._lock)
        if self.writer._segment is not None:
            self.writer._files.close(self.writer._segment.descriptor)


def before_its_sync(worker):
    worker.write(3)


def before_its_answer(worker):
    worker.write(3)
    worker.writer.sync()


def after_an_answer_that_did_not_wait_for_the_disk(worker):
    worker.counters.owe(3)
    worker.counters.add(Count.ANSWERED, 3)


def in_the_middle_of_a_write(worker):
    worker.write(1)
    path = worker.writer._segment.path
    path.write_bytes(path.read_bytes()[:-5])


def after_a_failed_sync(worker):
    worker.write(3)
    worker.files.fail["sync"] = 5
    worker.writer.sync()
    worker.counters.add(Count.ANSWERED, 3)
    worker.files.fail.clear()


def before_a_power_loss_that_took_a_record(worker):
    path = worker.writer._segment.path
    path.write_bytes(path.read_bytes()[:-5])


def before_anything_was_written(worker):
    worker.clock.seconds += 2
    worker.writer.tick()
    worker.writer._begin()


KILLED = [
    before_its_sync,
    before_its_answer,
    after_an_answer_that_did_not_wait_for_the_disk,
    in_the_middle_of_a_write,
    after_a_failed_sync,
    before_a_power_loss_that_took_a_record,
    before_anything_was_written,
]


@pytest.mark.parametrize("moment", KILLED, ids=lambda moment: moment.__name__)
def test_the_account_of_a_killed_worker_is_closed_as_its_next_start_closes_it(
    tmp_path, make_hit, files, clock, moment
) -> None:
    worker = Worker(tmp_path / "edge-0", make_hit, files, clock)
    worker.answer(2)
    moment(worker)
    worker.kill()
    before = {path: path.read_bytes() for path in worker.directory.iterdir()}
    closed = account(worker.directory, closed=True)
    assert {path: path.read_bytes() for path in worker.directory.iterdir()} == before
    assert closed.difference == 0
    worker.start()
    started = account(worker.directory)
    assert closed.counts == started.counts
    assert closed.backlog.records == started.backlog.records


def test_a_difference_that_stays_is_believed_after_several_looks(tmp_path) -> None:
    counters = Counters.open(tmp_path, Files())
    counters.add(Count.ANSWERED, 2)
    pauses = []
    now, adds_up = steady_account(tmp_path, sleep=pauses.append)
    assert (now.difference, adds_up) == (2, False)
    assert len(pauses) == 2 * LOOKS - 1


def test_a_difference_that_is_gone_at_the_next_look_is_none(tmp_path) -> None:
    counters = Counters.open(tmp_path, Files())
    counters.add(Count.ANSWERED, 2)

    def sleep(seconds):
        if seconds != IN_HAND_SECONDS:
            counters.add(Count.LOST_OVERFLOW, 2)

    now, adds_up = steady_account(tmp_path, sleep=sleep)
    assert (now.difference, now.lost, adds_up) == (0, 2, True)


@pytest.mark.parametrize(("moved", "expected"), [(3, True), (2, False)])
def test_as_many_clicks_as_move_while_looking_are_no_difference(tmp_path, moved, expected) -> None:
    """A busy worker is never seen at rest; more than could be on its way is missing all the same."""
    counters = Counters.open(tmp_path, Files())
    counters.add(Count.ANSWERED, 3)

    def sleep(seconds):
        if seconds == IN_HAND_SECONDS:
            counters.add(Count.ANSWERED, moved)
        else:
            counters.add(Count.LOST_OVERFLOW, moved)

    now, adds_up = steady_account(tmp_path, sleep=sleep)
    assert (now.difference, adds_up) == (3, expected)
