"""The ledger counts each segment once, whenever its reader is killed."""

from pathlib import Path

import pytest

from waypost.spool.files import Files
from waypost.spool.ledger import Entries, Ledger, read_ledger
from waypost.spool.segments import DONE_SUFFIX, QUARANTINE_SUFFIX

NAMES = [f"edge-0.019cb7d4-0d59-7000-8000-00000000000{number}.seg" for number in range(3)]


@pytest.fixture
def segments(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in NAMES]
    for path in paths:
        path.write_bytes(b"")
    return paths


def test_what_is_settled_adds_up_and_is_gone_from_among_the_sealed(segments: list[Path], tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path)
    ledger.settle(segments[0], None, stored=3)
    ledger.settle(segments[1], DONE_SUFFIX, stored=4)
    ledger.settle(segments[2], QUARANTINE_SUFFIX, stored=5, quarantined=2)
    assert ledger.entries == read_ledger(tmp_path) == Entries(12, 2)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", ".bad", ".done"]


class Killed(BaseException):
    pass


class KillingFiles(Files):
    """Dies just before or just after a segment is taken away."""

    def __init__(self, *, after: bool) -> None:
        self._after = after

    def rename(self, old: Path, new: Path) -> None:
        if self._after:
            super().rename(old, new)
        raise Killed


@pytest.mark.parametrize("after", [False, True], ids=["before the file is taken away", "after it"])
def test_a_reader_killed_while_it_settles_counts_the_segment_once(segments, tmp_path, after) -> None:
    with pytest.raises(Killed):
        Ledger.open(tmp_path, KillingFiles(after=after)).settle(segments[0], DONE_SUFFIX, stored=3)
    ledger = Ledger.open(tmp_path)
    assert ledger.entries == Entries(3 if after else 0, 0)
    if not after:
        ledger.settle(segments[0], DONE_SUFFIX, stored=3)
    assert ledger.entries == Entries(3, 0)


def test_a_segment_that_is_gone_is_not_entered(segments, tmp_path) -> None:
    ledger = Ledger.open(tmp_path)
    segments[0].unlink()
    with pytest.raises(FileNotFoundError):
        ledger.settle(segments[0], None, stored=3)
    assert Ledger.open(tmp_path).entries == Entries(0, 0)


def test_a_replayed_segment_is_taken_off_again(segments, tmp_path) -> None:
    ledger = Ledger.open(tmp_path)
    ledger.settle(segments[0], DONE_SUFFIX, stored=3)
    ledger.settle(segments[1], DONE_SUFFIX, stored=4)
    assert ledger.replay(segments[0].with_suffix(DONE_SUFFIX), stored=3) == segments[0]
    assert segments[0].exists()
    assert ledger.entries == Entries(4, 0)


def test_a_disk_without_room_for_the_ledger_does_not_keep_segments_from_being_taken_away(segments, tmp_path) -> None:
    class Full(Files):
        def map_counters(self, path: Path):
            raise OSError(28, "No space left on device", str(path))

    ledger = Ledger.open(tmp_path, Full())
    ledger.settle(segments[0], None, stored=3)
    assert ledger.entries == Entries(3, 0)
    assert not segments[0].exists()
