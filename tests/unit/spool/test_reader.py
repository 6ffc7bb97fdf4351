from collections.abc import Callable
from pathlib import Path

from waypost.events.hit import Hit
from waypost.spool import delete_segment, quarantine_segment, read_segment, sealed_segments
from waypost.spool.segments import SegmentWriter

GOLDEN = Path(__file__).parents[2] / "vectors" / "segment-v1.bin"


def test_segments_of_all_edges_come_oldest_first_and_open_ones_not_at_all(tmp_path: Path) -> None:
    for name in ("edge-0/edge-0.03.seg", "edge-1/edge-1.01.seg", "edge-0/edge-0.02.seg", "edge-1/edge-1.04.open"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    assert [path.name for path in sealed_segments(tmp_path)] == ["edge-1.01.seg", "edge-0.02.seg", "edge-0.03.seg"]
    assert [path.name for path in sealed_segments(tmp_path / "edge-0")] == ["edge-0.02.seg", "edge-0.03.seg"]


def test_a_spool_that_does_not_exist_yet_has_no_segments(tmp_path: Path) -> None:
    assert sealed_segments(tmp_path / "spool") == []


def test_a_segment_is_read_by_what_it_says_and_deleted_once_or_twice(
    make_writer: Callable[..., SegmentWriter], make_hit: Callable[[int], Hit], spool: Path
) -> None:
    writer = make_writer()
    assert writer.write([make_hit(1)]) is None
    writer.sync()
    writer.close()
    (path,) = sealed_segments(spool)
    assert read_segment(path).segment_id == path.stem
    assert read_segment(path).records == [(0, make_hit(1))]
    delete_segment(path)
    delete_segment(path)
    assert sealed_segments(spool) == []


def test_a_quarantined_segment_is_kept_whole_and_not_listed_again(tmp_path: Path) -> None:
    path = tmp_path / "edge-0.01.seg"
    path.write_bytes(GOLDEN.read_bytes()[:-1])
    assert read_segment(path).damaged
    aside = quarantine_segment(path)
    assert aside.read_bytes() == GOLDEN.read_bytes()[:-1]
    assert sealed_segments(tmp_path) == []
