from pathlib import Path
from uuid import UUID

import pytest

from waypost.spool.counters import COUNTERS_NAME, Count, Counters, read_counters
from waypost.spool.files import COUNTERS_BYTES, Files


def test_counts_survive_the_process(tmp_path: Path) -> None:
    counters = Counters.open(tmp_path, Files())
    counters.add(Count.ANSWERED, 5)
    counters.add(Count.LOST_NO_SPACE, 2)
    again = Counters.open(tmp_path, Files())  # the first mapping was never flushed or closed
    assert (again[Count.ANSWERED], again[Count.LOST_NO_SPACE], again[Count.KEPT]) == (5, 2, 0)


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
    assert stat.st_size >= COUNTERS_BYTES
    assert stat.st_blocks * 512 >= COUNTERS_BYTES


def test_the_slots_are_wire_format(tmp_path: Path) -> None:
    counters = Counters.open(tmp_path, Files())
    for amount, count in enumerate(Count, start=1):
        counters.add(count, amount)
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
    ]


def test_what_is_owed_becomes_lost_when_the_next_process_starts(tmp_path: Path) -> None:
    Counters.open(tmp_path, Files()).owe(4)
    after = Counters.open(tmp_path, Files())
    after.settle_owed()
    after.settle_owed()
    assert after[Count.LOST_KILLED] == 4


def test_the_note_on_a_cut_survives_and_can_be_cleared(tmp_path: Path) -> None:
    segment = UUID("019cb7d4-0d59-7000-8000-000000000001")
    Counters.open(tmp_path, Files()).cut = (segment, 70_000)
    after = Counters.open(tmp_path, Files())
    assert after.cut == (segment, 70_000)
    after.cut = None
    assert Counters.open(tmp_path, Files()).cut is None
