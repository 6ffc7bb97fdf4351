"""What is wrong with a segment file is found, byte by byte, and nothing is changed."""

import pytest
from tests.unit.pipeline.segments import seal
from tests.unit.store.rows import hit, send_id

from waypost.spool.counters import Count, Counters
from waypost.spool.files import Files
from waypost.spool.framing import FRAME_BYTES, Damage, DamageReason, scan
from waypost.spool.inspection import Inspection, inspect_segment
from waypost.spool.names import Entry, renamed, segment_uuid


@pytest.fixture
def sealed(tmp_path):
    return seal(tmp_path / "edge-0", [hit(1, send_id()) for _ in range(5)])


def records_at(path):
    """(offset, length) of each whole record."""
    found = scan(path.read_bytes(), path.stem)
    return [(offset - FRAME_BYTES, FRAME_BYTES + length) for _, offset, length in found.frames]


@pytest.mark.parametrize("suffix", [".seg", ".done", ".bad", ".replay"])
def test_a_whole_segment_is_whole_in_every_state(sealed, suffix) -> None:
    path = sealed.rename(renamed(sealed, suffix, Entry(3, 2)))
    assert inspect_segment(path) == Inspection(records=5)
    assert inspect_segment(path).is_whole


def test_damage_is_told_by_its_bytes_and_by_the_records_it_cost(sealed) -> None:
    records = records_at(sealed)
    data = bytearray(sealed.read_bytes())
    for number in (1, 2, 4):
        data[records[number][0] + 30] ^= 1
    sealed.write_bytes(data)
    found = inspect_segment(sealed)
    assert not found.is_whole
    assert (found.records, found.missing) == (2, (range(1, 3), range(4, 5)))
    assert found.damaged == (
        Damage(DamageReason.FRAME, records[1][0], records[1][1] + records[2][1]),
        Damage(DamageReason.FRAME, *records[4]),
    )


def test_a_sealed_segment_without_its_end_is_damaged_although_every_record_that_is_there_is_good(sealed) -> None:
    sealed.write_bytes(sealed.read_bytes()[: records_at(sealed)[3][0]])
    found = inspect_segment(sealed)
    assert ([damage.reason for damage in found.damaged], found.records) == ([DamageReason.TRUNCATED], 3)
    assert not found.is_whole


def test_records_that_are_gone_without_a_trace_are_missed(sealed) -> None:
    """By the trailer: no byte that is there is wrong."""
    begin, length = records_at(sealed)[2]
    data = sealed.read_bytes()
    sealed.write_bytes(data[:begin] + data[begin + length :])
    found = inspect_segment(sealed)
    assert (found.damaged, found.missing, found.is_whole) == ((), (range(2, 3),), False)


def test_what_is_no_segment_and_what_a_later_release_wrote_are_told_apart(sealed, tmp_path, monkeypatch) -> None:
    sealed.write_bytes(b"not a segment")
    assert inspect_segment(sealed) == Inspection(unreadable="foreign")
    with monkeypatch.context() as future:
        future.setattr("waypost.spool.framing.VERSION", 2)
        later = seal(tmp_path / "edge-0", [hit(1, send_id())])
    assert inspect_segment(later) == Inspection(unreadable="version")
    assert not inspect_segment(later).is_whole


@pytest.fixture
def left_open(sealed):
    """The segment as its writer has it: no trailer yet, and counted as its newest."""
    path = sealed.rename(sealed.with_suffix(".open"))
    path.write_bytes(path.read_bytes()[:-FRAME_BYTES])
    counters = Counters.open(path.parent, Files())
    counters.begin(segment_uuid(path))
    counters.add(Count.KEPT, 5)
    return path


def test_an_open_segment_needs_no_end(left_open) -> None:
    assert inspect_segment(left_open) == Inspection(records=5)
    whole = left_open.read_bytes()
    left_open.write_bytes(whole + whole[-100:-60])
    assert inspect_segment(left_open) == Inspection(records=5, unfinished=40)
    assert inspect_segment(left_open).is_whole


def test_an_open_segment_without_records_that_readers_were_promised_is_damaged(left_open) -> None:
    begin, length = records_at(left_open)[4]
    left_open.write_bytes(left_open.read_bytes()[:-1])
    found = inspect_segment(left_open)
    assert (found.records, found.missing) == (4, (range(4, 5),))
    assert found.damaged == (Damage(DamageReason.FRAME, begin, length - 1),)
    left_open.write_bytes(left_open.read_bytes()[:begin])
    assert inspect_segment(left_open) == Inspection(records=4, missing=(range(4, 5),))


def test_damage_before_the_end_of_an_open_segment_is_damage(left_open) -> None:
    begin, length = records_at(left_open)[1]
    data = bytearray(left_open.read_bytes())
    data[begin + 30] ^= 1
    left_open.write_bytes(data)
    assert inspect_segment(left_open).damaged == (Damage(DamageReason.FRAME, begin, length),)


@pytest.mark.parametrize("content", [b"", bytes(5000)], ids=["empty", "zeroes"])
def test_an_open_segment_in_which_nothing_was_written_yet_is_whole(tmp_path, content) -> None:
    path = tmp_path / "edge-0.019cb7d4-0d59-7000-8000-000000000001.open"
    path.write_bytes(content)
    assert inspect_segment(path) == Inspection(unfinished=len(content))
    assert inspect_segment(path).is_whole
