from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from tests.unit.store.rows import NOON, PERSON, hit, hit_row, send_id

from waypost.events.hit import Outcome
from waypost.events.verdict import Reason, VerdictClass
from waypost.pipeline.job import JobState
from waypost.pipeline.reclassify import RECLASSIFY, Reclassification, ReclassifyJob

# Later than nearly all that other tests put into the same store.
BEGIN = datetime(2170, 1, 1, tzinfo=UTC)
FINAL = replace(PERSON, final=True)


@contextmanager
def held(names):
    yield frozenset(names)


@pytest.fixture
def again(tmp_path, store):
    def again(held=held):
        return Reclassification(tmp_path, store, held, now=lambda: NOON, page_hits=2)

    return again


@pytest.fixture
def others(again, tmp_path, store):
    """How many hits of other tests are later all the same; their verdicts are renewed."""
    RECLASSIFY.ask(tmp_path, ReclassifyJob(asked_at=NOON, since=BEGIN))
    work = again().work
    while work():
        pass
    return store.verdicts.count(BEGIN)


def heads(store, account, count, at, verdict=FINAL):
    hits = [hit(account, send_id(), outcome=Outcome.HEAD, occurred_at=at + timedelta(seconds=n)) for n in range(count)]
    store.insert_hits([hit_row(each, record=n, verdict=verdict) for n, each in enumerate(hits)])
    return hits


def test_wrong_verdicts_are_mended_page_by_page_across_a_restart(again, others, tmp_path, store, account):
    hits = heads(store, account, 5, BEGIN)
    RECLASSIFY.ask(tmp_path, ReclassifyJob(asked_at=NOON, since=BEGIN))
    while again().work():
        pass
    job = RECLASSIFY.read(tmp_path)
    assert (job.state, job.changes) == (JobState.DONE, {"human to machine": 5})
    assert job.events == job.events_done == others + 5
    for each in hits:
        (event,) = store.send_events(account, each.send_id)
        assert (event.verdict.verdict_class, event.verdict.reasons[0]) == (VerdictClass.MACHINE, Reason.HEAD)
    assert again().work() == 0


@pytest.mark.usefixtures("others")
def test_what_is_not_final_is_left_to_the_settler(again, tmp_path, store, account):
    at = BEGIN + timedelta(days=40)
    (going_on,) = heads(store, account, 1, at, verdict=PERSON)
    RECLASSIFY.ask(tmp_path, ReclassifyJob(asked_at=NOON, since=at))
    work = again().work
    while work():
        pass
    assert RECLASSIFY.read(tmp_path).changes == {}
    (event,) = store.send_events(account, going_on.send_id)
    assert event.verdict == PERSON


def test_one_of_several_pipelines_works(again, tmp_path):
    RECLASSIFY.ask(tmp_path, ReclassifyJob(asked_at=NOON, since=BEGIN + timedelta(days=4000)))

    @contextmanager
    def taken(_names):
        yield frozenset()

    assert again(taken).work() == 0
    assert RECLASSIFY.read(tmp_path).state is JobState.WAITING
