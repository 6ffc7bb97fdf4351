from collections.abc import Callable
from pathlib import Path

import pytest

from waypost.events.hit import Hit
from waypost.spool import read_segment, sealed_segments
from waypost.spool.reader import count_records
from waypost.spool.segments import SegmentWriter


def test_segments_of_all_edges_come_oldest_first_and_open_ones_not_at_all(tmp_path: Path) -> None:
    for name in ("edge-0/edge-0.03.seg", "edge-1/edge-1.01.seg", "edge-0/edge-0.02.seg", "edge-1/edge-1.04.open"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    assert [path.name for path in sealed_segments(tmp_path)] == ["edge-1.01.seg", "edge-0.02.seg", "edge-0.03.seg"]
    assert [path.name for path in sealed_segments(tmp_path / "edge-0")] == ["edge-0.02.seg", "edge-0.03.seg"]


def test_a_spool_that_does_not_exist_yet_has_no_segments(tmp_path: Path) -> None:
    assert sealed_segments(tmp_path / "spool") == []


def test_a_segment_is_read_by_what_it_says(
    make_writer: Callable[..., SegmentWriter], make_hit: Callable[[int], Hit], spool: Path
) -> None:
    writer = make_writer()
    assert writer.write([make_hit(1)]) is None
    writer.sync()
    writer.close()
    (path,) = sealed_segments(spool)
    assert read_segment(path).segment_id == path.stem
    assert read_segment(path).records == [(0, make_hit(1))]


@pytest.mark.parametrize("cut", [0, 1, 16, 200])
def test_the_number_of_records_is_known_as_long_as_the_last_one_is(
    make_writer: Callable[..., SegmentWriter], make_hit: Callable[[int], Hit], spool: Path, cut: int
) -> None:
    writer = make_writer()
    writer.write([make_hit(number) for number in range(5)])
    writer.sync()
    writer.close()
    (path,) = sealed_segments(spool)
    path.write_bytes(path.read_bytes()[: path.stat().st_size - cut])
    assert count_records(path) == (5 if cut <= 16 else 4)


@pytest.mark.parametrize("content", [b"", b"x", bytes(1000)])
def test_what_is_no_segment_has_no_records(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "edge-0.01.seg"
    path.write_bytes(content)
    assert count_records(path) == 0
