"""Segments that edges elsewhere hand over: answered once stored, each record once, however often they come (E3)."""

import asyncio
import threading
from contextlib import contextmanager

import pytest
from tests.unit.pipeline.segments import seal
from tests.unit.store.rows import NOON, hit, send_id

from waypost.fleet.courier import NotNow, Receipt
from waypost.pipeline.collector import Collector
from waypost.pipeline.counts import Count, Counts
from waypost.pipeline.enrich import Enricher
from waypost.pipeline.intake import Intake
from waypost.store import StoreFailed


@contextmanager
def all_of_them(segment_ids):
    yield frozenset(segment_ids)


class Rig:
    def __init__(self, tmp_path, store, account):
        self.directory = tmp_path / "elsewhere"
        self.store = store
        self.account = account
        self.counts = Counts()
        self.intake = Intake()
        self.collector = Collector(tmp_path, store, Enricher(self.counts), self.counts, now=lambda: NOON)

    def segment(self, count):
        path = seal(self.directory, [hit(self.account, send_id()) for _ in range(count)])
        return path.stem, path.read_bytes()

    def hand_over(self, *segments, held=all_of_them):
        """What each is answered: a receipt or an exception; the pipeline runs once, when all of them wait."""

        async def story():
            waiting = [asyncio.create_task(self.intake.offer(*segment)) for segment in segments]
            await asyncio.sleep(0)
            failures = []

            def collect():
                try:
                    self.collector.collect_offered(self.intake, held)
                except StoreFailed as error:
                    failures.append(error)

            thread = threading.Thread(target=collect)
            thread.start()
            answers = await asyncio.gather(*waiting, return_exceptions=True)
            thread.join()
            return answers

        return asyncio.run(story())

    def stored(self):
        sql = "SELECT segment, record FROM events WHERE account = {a:UInt64} ORDER BY 1, 2"
        return [tuple(row) for row in self.store._query("test", sql, a=self.account)]


@pytest.fixture
def rig(tmp_path, store, account):
    return Rig(tmp_path, store, account)


def test_a_segment_is_answered_once_it_is_stored(rig):
    segment = rig.segment(3)
    assert rig.hand_over(segment) == [Receipt(stored=3)]
    assert rig.stored() == [(segment[0], number) for number in range(3)]


def test_one_that_comes_again_at_once_or_later_is_stored_once(rig):
    segment = rig.segment(3)
    assert rig.hand_over(segment, segment) == [Receipt(stored=3)] * 2
    assert rig.hand_over(segment) == [Receipt(stored=3)]
    assert len(rig.stored()) == 3


def test_many_segments_are_one_insert(rig):
    segments = [rig.segment(2) for _ in range(10)]
    assert rig.hand_over(*segments) == [Receipt(stored=2)] * 10
    assert len(rig.stored()) == 20


def test_what_was_handed_over_is_stored_a_batch_at_a_time(rig, monkeypatch):
    monkeypatch.setattr("waypost.pipeline.collector._BATCH_RECORDS", 4)
    insert, sizes = rig.store.insert_hits, []

    def counted(rows):
        sizes.append(len(rows))
        insert(rows)

    monkeypatch.setattr(rig.store, "insert_hits", counted)
    assert rig.hand_over(*[rig.segment(3) for _ in range(5)]) == [Receipt(stored=3)] * 5
    assert sizes == [6, 6, 3]


def test_a_store_that_fails_after_a_batch_acknowledges_that_one(rig, monkeypatch):
    monkeypatch.setattr("waypost.pipeline.collector._BATCH_RECORDS", 1)
    insert, calls = rig.store.insert_hits, []

    def fail_later(rows):
        calls.append(rows)
        if len(calls) > 1:
            raise StoreFailed("insert", "gone")
        insert(rows)

    monkeypatch.setattr(rig.store, "insert_hits", fail_later)
    first, second = rig.hand_over(rig.segment(2), rig.segment(2))
    assert first == Receipt(stored=2)
    assert isinstance(second, NotNow)


def test_a_damaged_record_is_said_and_its_neighbours_are_stored(rig):
    name, data = rig.segment(3)
    at = len(data) // 2
    damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    assert rig.hand_over((name, damaged)) == [Receipt(stored=2, quarantined=1)]
    assert rig.counts.snapshot()[Count.DAMAGED] == 1


def test_what_is_no_segment_is_said_to_be_none_and_stops_nothing(rig, monkeypatch):
    good = rig.segment(1)
    with monkeypatch.context() as future:
        future.setattr("waypost.spool.framing.VERSION", 2)
        later = rig.segment(1)
    answers = rig.hand_over(("edge-0.x", b"nonsense"), good, later)
    assert answers == [Receipt(0, reason="foreign"), Receipt(1), Receipt(0, reason="version")]


def test_a_segment_of_which_only_the_trailer_is_left_is_answered_with_what_that_says(rig):
    segment_id, data = rig.segment(3)
    trailer = data[-16:]
    assert rig.hand_over((segment_id, bytes(100) + trailer)) == [Receipt(0, quarantined=3, reason="foreign")]


def test_a_store_that_fails_acknowledges_nothing(rig, monkeypatch):
    segment = rig.segment(2)

    def fail(_):
        raise StoreFailed("insert", "gone")

    with monkeypatch.context() as broken:
        broken.setattr(rig.store, "insert_hits", fail)
        (answer,) = rig.hand_over(segment)
    assert isinstance(answer, NotNow)
    assert rig.stored() == []
    assert rig.hand_over(segment) == [Receipt(stored=2)]


def test_a_segment_in_another_collector_s_hands_is_to_come_again(rig):
    held, free = rig.segment(1), rig.segment(1)

    @contextmanager
    def others(segment_ids):
        yield frozenset(segment_ids) - {held[0]}

    first, second = rig.hand_over(held, free, held=others)
    assert isinstance(first, NotNow)
    assert second == Receipt(stored=1)
    assert rig.stored() == [(free[0], 0)]


def test_beyond_what_memory_may_hold_edges_are_to_come_again(rig):
    first, second = rig.segment(1), rig.segment(1)
    rig.intake = Intake(waiting_bytes_max=len(first[1]))
    taken, refused = rig.hand_over(first, second)
    assert taken == Receipt(stored=1)
    assert isinstance(refused, NotNow)


def test_who_does_not_wait_for_the_answer_is_not_answered(rig):
    segment = rig.segment(1)

    async def give_up():
        waiting = asyncio.create_task(rig.intake.offer(*segment))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(give_up())
    assert rig.collector.collect_offered(rig.intake, all_of_them) == 0
    assert rig.stored() == []
