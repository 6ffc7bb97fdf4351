"""Every answered hit is somewhere: the account of a directory adds up at every stage of a segment's life."""

from waypost.spool.conservation import account, worker_directories
from waypost.spool.counters import Count, Counters
from waypost.spool.files import Files
from waypost.spool.ledger import Ledger
from waypost.spool.reader import sealed_segments
from waypost.spool.segments import DONE_SUFFIX, QUARANTINE_SUFFIX, SegmentWriter


def test_the_account_adds_up_from_answer_to_store(tmp_path, make_hit, files, clock) -> None:
    directory = tmp_path / "edge-0"
    directory.mkdir()
    counters = Counters.open(directory, Files())
    writer = SegmentWriter(
        directory, "edge-0", counters, sync=True, segment_bytes=10**6, segment_seconds=1.0, files=files,
        monotonic=clock, now=clock.now,
    )  # fmt: skip

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
