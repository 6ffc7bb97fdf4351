import logging
from pathlib import Path

import pytest
from tests.unit.pipeline.segments import seal
from tests.unit.store.rows import NOON, PHONE, hit, send_id

from waypost.events.client import UNKNOWN
from waypost.pipeline import collector as collector_module
from waypost.pipeline.collector import Collector
from waypost.pipeline.counts import Count, Counts
from waypost.pipeline.enrich import Enricher, Step, StepName
from waypost.spool.conservation import account
from waypost.spool.ledger import Entries, read_ledger
from waypost.spool.replay import Settled, hand_back, settled_segments
from waypost.store import StoreFailed, StoreRefused


def name_phone(_):
    return PHONE


class Rig:
    """A collector over a spool directory, with what it counted."""

    def __init__(self, spool, store, account):
        self.spool = spool
        self.edge = spool / "edge-0"
        self.store = store
        self.account = account
        self.counts = Counts()
        self.step = name_phone
        self.stopping = lambda: False

    def each(self, hits):
        return [self.step(hit) for hit in hits]

    def collector(self, store=None, keep_seconds=0):
        enricher = Enricher(self.counts, client=Step(StepName.CLIENT, lambda hits: [*map(id, hits)], self.each))
        return Collector(
            self.spool,
            store or self.store,
            enricher,
            self.counts,
            now=lambda: NOON,
            keep_seconds=keep_seconds,
            stopping=self.stopping,
        )

    def hits(self, count, **changes):
        return [hit(self.account, send_id(), **changes) for _ in range(count)]

    def stored(self):
        """(segment, record) of every row of this test's account, in order, doubles included."""
        sql = "SELECT segment, record FROM events WHERE account = {a:UInt64} ORDER BY 1, 2"
        return [tuple(row) for row in self.store._query("test", sql, a=self.account)]

    def counted(self):
        return {count: number for count, number in self.counts.snapshot().items() if number}

    def files(self):
        return sorted(path.name for path in self.spool.rglob("*.*"))


@pytest.fixture
def rig(tmp_path, store, account):
    return Rig(tmp_path / "spool", store, account)


def read_only(*_, **__):
    raise OSError("read-only")


def damage(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def rows_of(path, count):
    return [(path.stem, number) for number in range(count)]


def test_segments_of_every_edge_are_stored_and_deleted(rig):
    first = seal(rig.edge, rig.hits(3))
    second = seal(rig.spool / "edge-1", rig.hits(2))
    assert rig.collector().collect() == 2
    assert rig.stored() == sorted(rows_of(first, 3) + rows_of(second, 2))
    assert rig.files() == []
    assert rig.counted() == {Count.STORED: 5}


def test_a_spool_that_is_not_there_yet_is_empty(rig):
    assert rig.collector().collect() == 0


def test_a_segment_without_records_is_deleted(rig):
    seal(rig.edge, [])
    assert rig.collector().collect() == 1
    assert rig.files() == []


def test_a_row_has_what_enrichment_found_and_when_it_was_read(rig):
    (click,) = rig.hits(1)
    seal(rig.edge, [click])
    rig.collector().collect()
    (event,) = rig.store.send_events(rig.account, click.send_id)
    assert (event.client, event.received_at, event.event_id) == (PHONE, NOON, click.event_id)


def test_a_stored_segment_is_kept_for_as_long_as_asked(rig):
    path = seal(rig.edge, rig.hits(1))
    assert rig.collector(keep_seconds=10**9).collect() == 1
    assert rig.files() == [path.with_suffix(".done").name]
    assert rig.collector(keep_seconds=10**9).collect() == 0
    assert rig.files() == [path.with_suffix(".done").name]
    rig.collector(keep_seconds=1).collect()
    assert rig.files() == []


def test_the_ledger_says_what_became_of_every_record(rig):
    seal(rig.edge, rig.hits(3))
    damaged = seal(rig.edge, rig.hits(2))
    data = damaged.read_bytes()
    damaged.write_bytes(data[:200] + bytes(8) + data[208:])
    seal(rig.edge, [*rig.hits(2), hit(rig.account, send_id(), link_index=2**33)])
    rig.collector().collect()
    rig.collector().collect()
    assert read_ledger(rig.edge) == Entries(stored=6, quarantined=2)


def test_a_segment_that_the_edge_dropped_meanwhile_is_not_counted_as_stored(rig):
    path = seal(rig.edge, rig.hits(2))

    class Dropping:
        stored_records = rig.store.stored_records

        def insert_hits(self, rows):
            rig.store.insert_hits(rows)
            path.unlink()

    assert rig.collector(Dropping()).collect() == 0
    assert read_ledger(rig.edge).stored == 0


def test_a_segment_handed_over_again_is_stored_once(rig):
    hits = rig.hits(3)
    path = seal(rig.edge, hits)
    rig.collector().collect()
    seal(rig.edge, hits, path.stem)
    assert rig.collector().collect() == 1
    assert rig.stored() == rows_of(path, 3)
    assert rig.counted() == {Count.STORED: 3, Count.REPEATED: 3}


def test_the_same_segment_in_two_places_is_stored_once(rig):
    hits = rig.hits(3)
    path = seal(rig.edge, hits)
    seal(rig.spool / "restored", hits, path.stem)
    assert rig.collector().collect() == 2
    assert rig.stored() == rows_of(path, 3)
    assert rig.files() == []


def test_only_the_missing_records_of_a_segment_stored_in_part_are_inserted(rig):
    hits = rig.hits(4)
    path = seal(rig.edge, hits[:2])
    rig.collector().collect()
    seal(rig.edge, hits, path.stem)
    rig.collector().collect()
    assert rig.stored() == rows_of(path, 4)
    assert rig.counted() == {Count.STORED: 4, Count.REPEATED: 2}


def replay(rig, settled):
    return [hand_back(path) for path in settled_segments(rig.spool, settled)]


def test_a_stored_segment_that_is_replayed_is_not_stored_or_counted_again(rig):
    first, second = seal(rig.edge, rig.hits(3)), seal(rig.spool / "edge-1", rig.hits(2))
    collector = rig.collector(keep_seconds=10**9)
    collector.collect()
    for _ in range(2):
        assert len(replay(rig, Settled.STORED)) == 2
        assert collector.collect() == 2
        assert rig.stored() == sorted(rows_of(first, 3) + rows_of(second, 2))
        assert [path.suffix for path in rig.edge.glob("*.*")] == [".done"]
        assert (read_ledger(rig.edge).stored, read_ledger(rig.spool / "edge-1").stored) == (3, 2)


def test_a_repaired_segment_that_is_replayed_is_stored_as_far_as_it_was_not(rig):
    path = seal(rig.edge, rig.hits(3))
    whole = path.read_bytes()
    damage(path, 200)
    rig.collector().collect()
    assert read_ledger(rig.edge) == Entries(stored=2, quarantined=1)
    (aside,) = settled_segments(rig.edge, Settled.QUARANTINED)
    aside.write_bytes(whole)
    replay(rig, Settled.QUARANTINED)
    rig.collector().collect()
    assert rig.stored() == rows_of(path, 3)
    assert read_ledger(rig.edge) == Entries(stored=3, quarantined=0)
    assert rig.files() == []


def test_a_segment_replayed_without_a_repair_is_set_aside_again_and_counted_as_before(rig):
    path = seal(rig.edge, rig.hits(3))
    damage(path, 200)
    rig.collector().collect()
    for _ in range(2):
        replay(rig, Settled.QUARANTINED)
        rig.collector().collect()
        assert rig.files() == [f"{path.stem}.2-1.bad"]
        assert read_ledger(rig.edge) == Entries(stored=2, quarantined=1)
    assert len(rig.stored()) == 2


def test_what_the_store_refused_is_stored_when_it_is_replayed_after_an_upgrade(rig):
    path = seal(rig.edge, rig.hits(3))

    class Older:
        """Cannot hold the second record."""

        stored_records = rig.store.stored_records

        def insert_hits(self, rows):
            if any(row.record == 1 for row in rows):
                raise StoreRefused("insert", "too new")
            rig.store.insert_hits(rows)

    rig.collector(Older()).collect()
    assert (rig.files(), read_ledger(rig.edge)) == ([f"{path.stem}.2-1.bad"], Entries(2, 1))
    replay(rig, Settled.QUARANTINED)
    rig.collector().collect()
    assert rig.stored() == rows_of(path, 3)
    assert read_ledger(rig.edge) == Entries(3, 0)


def test_replayed_segments_are_read_a_batch_at_a_time_behind_the_sealed_ones(rig, monkeypatch):
    """The clicks of this minute do not wait for those of a day."""
    monkeypatch.setattr(collector_module, "_BATCH_RECORDS", 2)
    for _ in range(3):
        seal(rig.edge, rig.hits(2))
    collector = rig.collector(keep_seconds=10**9)
    collector.collect()
    replay(rig, Settled.STORED)
    for _ in range(2):
        seal(rig.edge, rig.hits(2))
    assert collector.collect() == 3
    assert sorted(path.suffix for path in rig.edge.glob("*.*")) == [".done"] * 3 + [".replay"] * 2
    assert [collector.collect() for _ in range(3)] == [1, 1, 0]


class DyingStore:
    """The real store, except that it dies around an insert."""

    def __init__(self, store, *, after):
        self._store = store
        self._after = after
        self.stored_records = store.stored_records

    def insert_hits(self, rows):
        if self._after:
            self._store.insert_hits(rows)
        raise StoreFailed("insert", "gone")


@pytest.mark.parametrize("after", [False, True], ids=["before the rows are stored", "after the rows are stored"])
def test_a_store_that_dies_in_an_insert_loses_and_doubles_nothing(rig, after):
    path = seal(rig.edge, rig.hits(3))
    with pytest.raises(StoreFailed):
        rig.collector(DyingStore(rig.store, after=after)).collect()
    assert rig.files() == [path.name]
    rig.collector().collect()
    assert rig.stored() == rows_of(path, 3)
    assert rig.files() == []


def test_a_damaged_record_is_quarantined_and_its_neighbours_are_stored(rig, caplog):
    hits = rig.hits(3)
    path = seal(rig.edge, hits)
    damage(path, path.read_bytes().index(hits[1].event_id.bytes))
    whole = seal(rig.edge, rig.hits(2))

    assert rig.collector().collect() == 2

    assert rig.stored() == sorted([(path.stem, 0), (path.stem, 2), *rows_of(whole, 2)])
    assert rig.files() == [f"{path.stem}.2-1.bad"]
    assert rig.counted() == {Count.STORED: 4, Count.DAMAGED: 1, Count.QUARANTINED_SEGMENTS: 1}
    assert path.stem in caplog.text


def test_a_damaged_trailer_costs_no_record(rig):
    path = seal(rig.edge, rig.hits(3))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert rig.collector().collect() == 1
    assert rig.stored() == rows_of(path, 3)
    assert rig.files() == [f"{path.stem}.3-0.bad"]
    assert read_ledger(rig.edge) == Entries(stored=3, quarantined=0)


def test_a_damaged_segment_that_cannot_be_set_aside_is_counted_once(rig, monkeypatch):
    path = seal(rig.edge, rig.hits(2))
    damage(path, 200)
    collector = rig.collector()
    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", read_only)
        assert collector.collect() == 0
    assert collector.collect() == 1
    assert rig.stored() == [(path.stem, 1)]
    assert rig.counts.snapshot()[Count.DAMAGED] == 1


@pytest.mark.parametrize("at", [-3, 20, 200], ids=["in the trailer", "in the header", "in a record"])
def test_a_segment_counts_as_many_records_stored_and_quarantined_as_it_did_spooled(rig, at):
    """Else the account of its directory would not add up once it is read."""
    path = seal(rig.edge, rig.hits(3))
    damage(path, at)
    spooled = account(rig.edge).backlog.records
    rig.collector().collect()
    ledger = read_ledger(rig.edge)
    assert ledger.stored + ledger.quarantined == spooled == 3
    assert ledger.quarantined == (1 if at == 200 else 0)


def test_a_file_that_is_no_segment_is_set_aside_and_stops_nothing(rig):
    rig.edge.mkdir(parents=True)
    (rig.edge / "edge-0.00000000-0000-7000-8000-000000000000.seg").write_bytes(b"not a segment")
    path = seal(rig.edge, rig.hits(1))
    assert rig.collector().collect() == 1
    assert rig.stored() == rows_of(path, 1)
    assert [name.endswith(".bad") for name in rig.files()] == [True]


def test_a_segment_of_which_only_the_trailer_is_left_counts_as_quarantined_what_that_says(rig):
    path = seal(rig.edge, rig.hits(3))
    data = path.read_bytes()
    path.write_bytes(bytes(len(data) - 16) + data[-16:])
    rig.collector().collect()
    assert read_ledger(rig.edge) == Entries(stored=0, quarantined=3)
    assert rig.counted() == {Count.DAMAGED: 3, Count.QUARANTINED_SEGMENTS: 1}


def test_a_segment_of_a_later_version_waits_and_is_reported_once(rig, caplog, monkeypatch):
    later = seal(rig.edge, rig.hits(1))
    with monkeypatch.context() as future:
        future.setattr("waypost.spool.framing.VERSION", 2)
        later = seal(rig.edge, rig.hits(1), later.stem)
    path = seal(rig.edge, rig.hits(1))
    collector = rig.collector()
    assert collector.collect() == 1
    assert collector.collect() == 0
    assert rig.stored() == rows_of(path, 1)
    assert rig.files() == [later.name]
    assert rig.counted() == {Count.STORED: 1, Count.SKIPPED_SEGMENTS: 1}
    assert len(caplog.records) == 1


def test_a_segment_that_cannot_be_deleted_is_stored_once_and_stops_nothing(rig, monkeypatch):
    path = seal(rig.edge, rig.hits(2))
    collector = rig.collector()
    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", read_only)
        assert collector.collect() == 0
    assert collector.collect() == 1
    assert rig.stored() == rows_of(path, 2)


def test_a_record_the_store_cannot_hold_is_quarantined_and_the_others_are_stored(rig):
    good = rig.hits(4)
    path = seal(rig.edge, [*good[:2], hit(rig.account, send_id(), link_index=2**33), *good[2:]])
    other = seal(rig.edge, rig.hits(2))
    rig.collector().collect()
    assert rig.stored() == sorted([*((path.stem, number) for number in (0, 1, 3, 4)), *rows_of(other, 2)])
    assert rig.files() == [f"{path.stem}.4-1.bad"]
    assert rig.counted() == {Count.STORED: 6, Count.REFUSED: 1, Count.QUARANTINED_SEGMENTS: 1}


def test_an_event_whose_enrichment_fails_is_stored_without_it_and_counted(rig, caplog):
    def fail(*_):
        raise ValueError("a library fell over")

    rig.step = fail
    (click,) = rig.hits(1)
    seal(rig.edge, [click])
    rig.collector().collect()
    (event,) = rig.store.send_events(rig.account, click.send_id)
    assert event.client == UNKNOWN
    assert rig.counted() == {Count.STORED: 1, Count.UNENRICHED: 1}
    rows = rig.store._query("test", "SELECT unenriched FROM events WHERE account = {a:UInt64}", a=rig.account)
    assert [list(steps) for (steps,) in rows] == [["client"]]
    assert "a library fell over" in caplog.text


def test_a_step_that_always_fails_does_not_fill_the_log(rig, caplog):
    rig.step = lambda *_: 1 / 0
    seal(rig.edge, rig.hits(50))
    with caplog.at_level(logging.ERROR):
        rig.collector().collect()
    assert len(caplog.records) == 10
    assert rig.counted()[Count.UNENRICHED] == 50


def test_a_long_backlog_is_stored_in_several_inserts_and_can_be_stopped_between(rig, monkeypatch):
    monkeypatch.setattr(collector_module, "_BATCH_RECORDS", 4)
    for _ in range(5):
        seal(rig.edge, rig.hits(2))
    rig.stopping = iter([False, True]).__next__
    assert rig.collector().collect() == 2
    rig.stopping = lambda: False
    assert rig.collector().collect() == 3
    assert rig.counted() == {Count.STORED: 10}
