"""Segments that were settled are handed back under a name that says what they are counted as."""

import pytest
from tests.unit.pipeline.segments import seal
from tests.unit.store.rows import hit, send_id

from waypost.spool import purge_done, purge_quarantined, read_segment, replayed_segments, sealed_segments
from waypost.spool.ledger import Ledger, read_ledger
from waypost.spool.names import DONE_SUFFIX, QUARANTINE_SUFFIX
from waypost.spool.reader import count_records
from waypost.spool.replay import Settled, hand_back, settled_as, settled_segments


@pytest.fixture
def settled(tmp_path):
    """A directory with one stored segment, one set aside and one sealed, and their ids."""
    paths = [seal(tmp_path / "edge-0", [hit(1, send_id()) for _ in range(3)]) for _ in range(3)]
    ledger = Ledger.open(tmp_path / "edge-0")
    ledger.settle(paths[0], DONE_SUFFIX, stored=3)
    ledger.settle(paths[1], QUARANTINE_SUFFIX, stored=1, quarantined=2)
    return tmp_path / "edge-0", [path.stem for path in paths]


def test_settled_segments_are_told_apart_and_what_is_still_to_be_read_is_none(settled) -> None:
    directory, (stored, aside, sealed) = settled
    assert [path.name for path in settled_segments(directory, Settled.STORED)] == [f"{stored}.done"]
    assert [path.name for path in settled_segments(directory.parent, Settled.QUARANTINED)] == [f"{aside}.1-2.bad"]
    by_id = {path.name.removeprefix("edge-0.")[:36]: settled_as(path) for path in directory.glob("*.*")}
    assert by_id == {
        stored.removeprefix("edge-0."): Settled.STORED,
        aside.removeprefix("edge-0."): Settled.QUARANTINED,
        sealed.removeprefix("edge-0."): None,
    }


def test_what_is_handed_back_says_what_it_is_counted_as_and_can_be_read(settled) -> None:
    directory, (stored, aside, sealed) = settled
    for kind in Settled:
        for path in settled_segments(directory, kind):
            hand_back(path)
    replayed = replayed_segments(directory.parent)
    assert {path.name for path in replayed} == {f"{stored}.3-0.replay", f"{aside}.1-2.replay"}
    assert {read_segment(path).segment_id for path in replayed} == {stored, aside}
    assert [count_records(path) for path in replayed] == [3, 3]
    assert [path.stem for path in sealed_segments(directory)] == [sealed]


def test_what_is_handed_back_is_not_deleted_for_its_age(settled) -> None:
    directory, _ = settled
    (path,) = settled_segments(directory, Settled.STORED)
    replayed = hand_back(path)
    assert purge_done(directory.parent, 10**12, 1) == 0
    assert replayed.exists()


def test_a_segment_that_is_gone_cannot_be_handed_back(settled) -> None:
    directory, _ = settled
    (path,) = settled_segments(directory, Settled.STORED)
    assert purge_done(directory.parent, 10**12, 1) == 1
    with pytest.raises(FileNotFoundError):
        hand_back(path)


def test_a_segment_handed_back_while_old_ones_are_deleted_stops_nothing(settled, monkeypatch) -> None:
    directory, _ = settled
    (path,) = settled_segments(directory, Settled.STORED)
    other = seal(directory, [hit(1, send_id())])
    Ledger.open(directory).settle(other, DONE_SUFFIX, stored=1)
    stat = type(path).stat

    def handing_back(self, **options):
        """Between being listed and being looked at."""
        if self == path and self.suffix == DONE_SUFFIX:
            monkeypatch.undo()
            hand_back(self)
        return stat(self, **options)

    monkeypatch.setattr(type(path), "stat", handing_back)
    assert purge_done(directory, 10**12, 1) == 1
    assert len(replayed_segments(directory)) == 1


def test_what_was_set_aside_goes_after_its_days(settled) -> None:
    directory, _ = settled
    (path,) = settled_segments(directory, Settled.QUARANTINED)
    aside_at, day = path.stat().st_ctime, 86_400
    for now, days in ((aside_at + 30 * day - 1, 30), (aside_at - 400 * day, 30), (aside_at + 4000 * day, 0)):
        assert purge_quarantined(directory.parent, now, days) == 0
    hand_back(path)
    assert purge_quarantined(directory.parent, aside_at + 31 * day, 30) == 0
    (replayed,) = replayed_segments(directory)
    Ledger.open(directory).settle(replayed, QUARANTINE_SUFFIX, stored=1, quarantined=2)
    before = read_ledger(directory)
    assert purge_quarantined(directory.parent, path.stat().st_ctime + 31 * day, 30) == 1
    assert settled_segments(directory, Settled.QUARANTINED) == []
    assert read_ledger(directory) == before
