import itertools
from pathlib import Path
from uuid import UUID

import pytest

from waypost.spool.counters import (
    _COUNTS,
    _LOST_UNDER,
    COUNTERS_NAME,
    LOST,
    Count,
    Counters,
    Seen,
    WorkerStatus,
    read_counters,
    read_newest,
    read_seen,
    read_status,
)
from waypost.spool.files import PAGE_BYTES, Files

SEGMENT = UUID("019cb7d4-0d59-7000-8000-000000000001")


def test_counts_survive_the_process(tmp_path: Path) -> None:
    counters = Counters.open(tmp_path, Files())
    counters.add(Count.ANSWERED, 5)
    counters.add(Count.LOST_NO_SPACE, 2)
    again = Counters.open(tmp_path, Files())  # the first mapping was never flushed or closed
    assert (again[Count.ANSWERED], again[Count.LOST_NO_SPACE], again[Count.KEPT]) == (5, 2, 0)


def test_a_page_torn_by_a_power_loss_never_says_that_less_than_nothing_was_kept(tmp_path: Path) -> None:
    """Its first sector, with what was kept, can be older than its second, with what was kept before."""
    counters = Counters.open(tmp_path, Files())
    counters.add(Count.KEPT, 5)
    segment = UUID(int=7)
    counters.begin(segment)
    counters.add(Count.KEPT, -3)
    assert counters.kept_in(segment) == 0
    assert read_newest(tmp_path) == (segment, 0)
    counters.set_aside(segment)
    assert counters[Count.QUARANTINED_HITS] == 0


def test_another_process_reads_the_same_counts(tmp_path: Path) -> None:
    Counters.open(tmp_path, Files()).add(Count.KEPT, 3)
    assert read_counters(tmp_path)[Count.KEPT] == 3


def test_a_directory_without_counters_has_counted_nothing(tmp_path: Path) -> None:
    assert set(read_counters(tmp_path).values()) == {0}


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"garbage!" * 600])
def test_a_short_or_foreign_file_begins_at_zero_with_all_its_blocks(tmp_path: Path, content: bytes) -> None:
    (tmp_path / COUNTERS_NAME).write_bytes(content)
    assert set(Counters.open(tmp_path, Files()).snapshot().values()) == {0}
    stat = (tmp_path / COUNTERS_NAME).stat()
    assert stat.st_size >= PAGE_BYTES
    assert stat.st_blocks * 512 >= PAGE_BYTES


def test_the_slots_are_wire_format(tmp_path: Path) -> None:
    counters = Counters.open(tmp_path, Files())
    for amount, count in enumerate(Count, start=1):
        counters.add(count, amount)
    counters.save()
    slots = memoryview((tmp_path / COUNTERS_NAME).read_bytes()).cast("Q")
    assert slots[:10].tobytes()[:8] == b"WPCOUNT\x01"
    assert slots[1:10].tolist() == list(range(1, 10))
    assert [count.value for count in Count] == [
        "answered",
        "kept",
        "unsynced",
        "lost_no_space",
        "lost_io_error",
        "lost_overflow",
        "lost_writer",
        "lost_killed",
        "quarantined",
        "dropped",
        "unanswered",
        "quarantined_hits",
    ]


def test_what_is_owed_becomes_lost_when_the_next_process_starts(tmp_path: Path) -> None:
    Counters.open(tmp_path, Files()).owe(4)
    after = Counters.open(tmp_path, Files())
    after.settle()
    after.settle()
    assert after[Count.LOST_KILLED] == 4


def test_the_note_on_a_cut_survives_and_can_be_cleared(tmp_path: Path) -> None:
    Counters.open(tmp_path, Files()).cut_back(SEGMENT, 70_000, Count.LOST_IO_ERROR, 3)
    after = Counters.open(tmp_path, Files())
    assert after.cut == (SEGMENT, 70_000)
    assert after[Count.LOST_IO_ERROR] == 3
    after.cut_is_done()
    assert Counters.open(tmp_path, Files()).cut is None


class Killed(BaseException):
    pass


class KilledSlots:
    """Slots of a process that is killed after so many stores."""

    def __init__(self, slots: memoryview, stores: int) -> None:
        self.slots, self.stores = slots, stores

    def __getitem__(self, slot: int) -> int:
        return self.slots[slot]

    def __setitem__(self, slot: int, value: int) -> None:
        if not self.stores:
            raise Killed
        self.stores -= 1
        self.slots[slot] = value


def test_a_cut_and_its_loss_are_noted_both_or_neither_whenever_a_kill_comes(tmp_path: Path) -> None:
    """A kill after each store to the page, one after the other."""

    def killed(stores: int) -> bool:
        counters = Counters.open(tmp_path / str(stores), Files())
        counters.settle()
        counters.add(Count.LOST_IO_ERROR, 2)
        counters._slots = KilledSlots(counters._slots, stores)
        try:
            counters.cut_back(SEGMENT, 70_000, Count.LOST_IO_ERROR, 3)
        except Killed:
            return True
        return False

    found = []
    for stores in itertools.count():
        (tmp_path / str(stores)).mkdir()
        was_killed = killed(stores)
        for _ in range(2):
            after = Counters.open(tmp_path / str(stores), Files())
            after.settle()
            found.append((after.cut is not None, after[Count.LOST_IO_ERROR]))
        if not was_killed:
            break
    assert set(found) == {(False, 2), (True, 5)}


def test_no_count_falls_when_a_power_loss_left_a_page_of_two_ages() -> None:
    """What a count was to become is in another sector than the count, and can be older."""
    counters = Counters.in_memory()
    counters.dropping(3)
    counters._slots[_COUNTS[Count.DROPPED]] = 9
    counters.dropped(is_gone=True)
    assert counters[Count.DROPPED] == 9
    counters.cut_back(SEGMENT, 70_000, Count.LOST_IO_ERROR, 3)
    counters._slots[_LOST_UNDER] = _COUNTS[Count.LOST_IO_ERROR]
    counters._slots[_COUNTS[Count.LOST_IO_ERROR]] = 7
    counters.settle()
    assert counters[Count.LOST_IO_ERROR] == 7


STATUS = WorkerStatus(1_795_000_000_000, Count.LOST_NO_SPACE, 1_794_999_999_000, frozenset({1, 64, 200, 255}), 77)


def test_another_process_reads_how_a_worker_is(tmp_path: Path) -> None:
    counters = Counters.open(tmp_path, Files())
    assert read_status(tmp_path) is None
    counters.report(STATUS)
    assert read_status(tmp_path) == STATUS
    well = WorkerStatus(STATUS.heartbeat_at_ms + 1, None, 0, frozenset(), 0)
    counters.report(well)
    assert read_status(tmp_path) == well


def test_a_directory_without_counters_has_no_worker(tmp_path: Path) -> None:
    assert read_status(tmp_path) is None


def test_requests_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    counters = Counters.open(tmp_path, Files())
    for _ in range(3):
        counters.seen(Seen.CLICK)
    counters.seen(Seen.REPAIRED)
    seen = read_seen(tmp_path)
    assert (seen[Seen.CLICK], seen[Seen.REPAIRED], sum(seen.values())) == (3, 1, 4)


SEGMENT = UUID("019cb7d4-0d59-7000-8000-000000000001")


@pytest.mark.parametrize(
    ("kept", "answered", "owed", "found", "expected"),
    [
        # kept, unanswered, lost to the kill, lost to the disk
        (5, 5, 0, 5, (5, 0, 0, 0)),
        (5, 5, 0, 8, (8, 3, 0, 0)),
        (5, 8, 0, 8, (8, 0, 0, 0)),
        (5, 7, 2, 5, (5, 0, 2, 0)),
        (5, 5, 0, 3, (3, 0, 0, 2)),
    ],
    ids=[
        "all done",
        "killed before the answers",
        "answered after the wait, then kept",
        "never written",
        "gone from disk",
    ],
)
def test_after_a_kill_what_was_answered_adds_up_with_what_is_there(kept, answered, owed, found, expected) -> None:
    killed = Counters.in_memory()
    killed.begin(SEGMENT)
    killed.add(Count.KEPT, kept)
    killed.add(Count.ANSWERED, answered)
    killed.owe(owed)
    counters = Counters(killed._slots.obj)
    counters.settle()
    for _ in range(2):  # killed during recovery, it is done again
        counters.recovered(SEGMENT, found)
    totals = (Count.KEPT, Count.UNANSWERED, Count.LOST_KILLED, Count.LOST_IO_ERROR)
    assert tuple(counters[count] for count in totals) == expected
    assert counters[Count.ANSWERED] + counters[Count.UNANSWERED] == sum(expected) - expected[1]


def test_a_segment_that_is_not_the_newest_is_not_counted_again() -> None:
    counters = Counters.in_memory()
    counters.begin(SEGMENT)
    counters.add(Count.KEPT, 5)
    counters.recovered(UUID(int=SEGMENT.int + 1), 9)
    assert counters[Count.KEPT] == 5
    assert counters.kept_in(SEGMENT) == 5


def test_counts_begun_in_memory_go_on_in_the_file_on_top_of_what_is_there(tmp_path: Path) -> None:
    earlier = Counters.open(tmp_path, Files())
    earlier.add(Count.KEPT, 5)
    earlier.add(Count.ANSWERED, 4)
    earlier.owe(2)
    counters = Counters.in_memory(until_kept=True)
    counters.add(Count.LOST_IO_ERROR, 3)
    counters.add(Count.ANSWERED, 6)
    counters.owe(1)
    counters.seen(Seen.CLICK)
    counters.keep_in(tmp_path, Files())
    counters.add(Count.KEPT, 1)
    found = read_counters(tmp_path)
    assert (found[Count.KEPT], found[Count.ANSWERED], found[Count.LOST_IO_ERROR]) == (6, 10, 3)
    assert (found[Count.LOST_KILLED], found[Count.UNANSWERED]) == (2, 3)
    assert read_seen(tmp_path)[Seen.CLICK] == 1


def test_a_kill_while_counts_begun_in_memory_go_on_in_the_file_leaves_an_account_that_adds_up(
    tmp_path: Path, monkeypatch
) -> None:
    for stores in itertools.count():
        directory = tmp_path / str(stores)
        directory.mkdir()
        counters = Counters.in_memory(until_kept=True)
        counters.add(Count.LOST_IO_ERROR, 3)
        counters.add(Count.LOST_OVERFLOW, 2)
        counters.add(Count.ANSWERED, 6)
        counters.owe(1)
        settle = Counters.settle

        def settle_and_be_killed(earlier: Counters, settle=settle, stores=stores) -> None:
            settle(earlier)
            earlier._slots = KilledSlots(earlier._slots, stores)

        with monkeypatch.context() as patch:
            patch.setattr(Counters, "settle", settle_and_be_killed)
            try:
                counters.keep_in(directory, Files())
            except Killed:
                was_killed = True
            else:
                was_killed = False
        after = Counters.open(directory, Files())
        after.settle()
        lost = sum(after[count] for count in LOST)
        assert after[Count.ANSWERED] + after[Count.UNANSWERED] == lost + after[Count.KEPT]
        if not was_killed:
            assert (after[Count.ANSWERED], lost) == (6, 6)
            break
