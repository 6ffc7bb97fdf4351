"""The ledger counts each segment once, whenever its reader is killed."""

from pathlib import Path

import pytest

from waypost.spool.files import Files
from waypost.spool.framing import encode_trailer, frame_seed
from waypost.spool.ledger import Entries, Ledger, read_ledger
from waypost.spool.names import DONE_SUFFIX, QUARANTINE_SUFFIX
from waypost.spool.replay import hand_back

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
    seen_before_that = read_ledger(tmp_path)
    ledger = Ledger.open(tmp_path)
    assert ledger.entries == seen_before_that == Entries(3 if after else 0, 0)
    if not after:
        ledger.settle(segments[0], DONE_SUFFIX, stored=3)
    assert ledger.entries == Entries(3, 0)


def test_a_segment_that_is_gone_is_not_entered(segments, tmp_path) -> None:
    ledger = Ledger.open(tmp_path)
    segments[0].unlink()
    with pytest.raises(FileNotFoundError):
        ledger.settle(segments[0], None, stored=3)
    assert Ledger.open(tmp_path).entries == Entries(0, 0)


def test_a_replayed_segment_is_entered_in_place_of_what_it_was_counted_as(segments, tmp_path) -> None:
    ledger = Ledger.open(tmp_path)
    ledger.settle(segments[0], QUARANTINE_SUFFIX, stored=5, quarantined=2)
    ledger.settle(segments[1], None, stored=4)
    (aside,) = tmp_path.glob("*.bad")
    replayed = hand_back(aside)
    assert ledger.entries == Entries(9, 2)
    ledger.settle(replayed, QUARANTINE_SUFFIX, stored=6, quarantined=1)
    (aside,) = tmp_path.glob("*.bad")
    assert (aside.name, ledger.entries) == (f"{segments[0].stem}.6-1.bad", Entries(10, 1))
    ledger.settle(hand_back(aside), DONE_SUFFIX, stored=7)
    assert ledger.entries == read_ledger(tmp_path) == Entries(11, 0)
    assert {path.name for path in tmp_path.glob("*.*")} == {f"{segments[0].stem}.done", segments[2].name}


@pytest.mark.parametrize("after", [False, True], ids=["before the file is taken away", "after it"])
def test_a_reader_killed_while_it_settles_a_replayed_segment_counts_it_once(segments, tmp_path, after) -> None:
    Ledger.open(tmp_path).settle(segments[0], QUARANTINE_SUFFIX, stored=5, quarantined=2)
    (aside,) = tmp_path.glob("*.bad")
    replayed = hand_back(aside)
    with pytest.raises(Killed):
        Ledger.open(tmp_path, KillingFiles(after=after)).settle(replayed, DONE_SUFFIX, stored=7)
    expected = Entries(7, 0) if after else Entries(5, 2)
    assert read_ledger(tmp_path) == expected
    ledger = Ledger.open(tmp_path)
    assert ledger.entries == expected
    if not after:
        ledger.settle(replayed, DONE_SUFFIX, stored=7)
    assert ledger.entries == Entries(7, 0)


@pytest.mark.parametrize("suffix", [DONE_SUFFIX, QUARANTINE_SUFFIX])
def test_a_segment_replayed_before_its_killed_reader_comes_back_is_counted_once(segments, tmp_path, suffix) -> None:
    """The entry under way is found true although the segment is, by then, to be read again."""
    segments[0].write_bytes(encode_trailer(4, frame_seed(segments[0].stem)))
    quarantined = 1 if suffix == QUARANTINE_SUFFIX else 0
    with pytest.raises(Killed):
        Ledger.open(tmp_path, KillingFiles(after=True)).settle(
            segments[0], suffix, stored=4 - quarantined, quarantined=quarantined
        )
    for _ in range(2):
        (settled,) = tmp_path.glob(f"*{suffix}")
        replayed = hand_back(settled)
        assert read_ledger(tmp_path) == Ledger.open(tmp_path).entries == Entries(4 - quarantined, quarantined)
        with pytest.raises(Killed):
            Ledger.open(tmp_path, KillingFiles(after=True)).settle(replayed, DONE_SUFFIX, stored=4)
        suffix, quarantined = DONE_SUFFIX, 0
    assert Ledger.open(tmp_path).entries == Entries(4, 0)


def test_what_the_writer_set_aside_and_counts_itself_is_taken_off_when_it_is_stored_after_all(tmp_path) -> None:
    aside = tmp_path / f"{NAMES[0].removesuffix('.seg')}.0-3.bad"
    aside.write_bytes(b"")
    ledger = Ledger.open(tmp_path)
    ledger.settle(hand_back(aside), DONE_SUFFIX, stored=3)
    assert ledger.entries == read_ledger(tmp_path) == Entries(3, -3)


def test_a_disk_without_room_for_the_ledger_does_not_keep_segments_from_being_taken_away(segments, tmp_path) -> None:
    class Full(Files):
        def map_page(self, path: Path):
            raise OSError(28, "No space left on device", str(path))

    ledger = Ledger.open(tmp_path, Full())
    ledger.settle(segments[0], None, stored=3)
    assert ledger.entries == Entries(3, 0)
    assert not segments[0].exists()
