"""Enrichment over history: every event stays, once, and none is left out, whatever happens meanwhile."""

import json
import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.mmdb import LONDON, PARIS, write_mmdb
from tests.unit.store.rows import NOON, hit, hit_row, send_event, send_id

from waypost.events.client import UNKNOWN as UNKNOWN_CLIENT
from waypost.events.client_parser import ClientParser
from waypost.events.hit import HitKind
from waypost.events.location import UNKNOWN, location_of
from waypost.geoip.locator import Locator
from waypost.pipeline.enrich import StepName
from waypost.pipeline.job import JobState
from waypost.pipeline.reenrich import ENRICH, EnrichJob, Reenrichment

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
    "Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def events(store):
    """The store of this test run, with no events but the test's own: a job is about all of them."""
    store._connection.writer.command("TRUNCATE TABLE events")
    return store


@pytest.fixture
def city(tmp_path):
    return write_mmdb(tmp_path / "city.mmdb", {"8.0.0.0/8": LONDON, "9.0.0.0/8": PARIS})


@pytest.fixture(scope="module")
def parser():
    return ClientParser()


@pytest.fixture
def history(tmp_path, events, city, parser):
    def history(keys_max=1000, **more):
        locator = Locator([city])
        locator.look()
        return Reenrichment(tmp_path, events.history, parser, locator, keys_max=keys_max, **more)

    return history


def wanted(*steps, since=None):
    return EnrichJob(asked_at=datetime.now(UTC), steps=list(steps or StepName), since=since)


def finish(data, work):
    while not (job := ENRICH.read(data)).is_over:
        work.work()
    return job


def bare(number, address, at=NOON, unenriched=("location",), **changes):
    """A click as it was stored before there was a database."""
    click = hit(1, send_id(), client_address=address, occurred_at=at, **changes)
    return hit_row(click, record=number, location=UNKNOWN, unenriched=unenriched)


def places(store):
    sql = "SELECT country, city, arrayStringConcat(unenriched, ' ') FROM events WHERE outcome != '' ORDER BY record"
    return store._query("test", sql)


def test_events_without_a_place_get_one_and_the_others_are_left_alone(events, history, tmp_path):
    events.insert_send_events([send_event(1, send_id())])
    events.insert_hits(
        [
            bare(0, "8.1.1.1"),
            bare(1, "9.1.1.1", at=NOON - timedelta(days=70)),
            bare(2, "7.1.1.1"),
            bare(3, ""),
            bare(4, "8.1.1.1", unenriched=()),
        ]
    )
    ENRICH.ask(tmp_path, wanted(StepName.LOCATION))

    job = finish(tmp_path, history())

    assert (job.state, job.events, job.events_done, job.failures) == (JobState.DONE, 3, 3, 0)
    assert places(events) == [
        ("GB", "London", ""),
        ("FR", "Paris", ""),
        ("", "", ""),
        ("", "", "location"),
        ("", "", ""),
    ]
    assert events._query("test", "SELECT count() FROM events") == [(6,)]


def test_all_events_since_a_date_are_looked_up_with_the_database_of_today(events, history, tmp_path):
    old, new = NOON - timedelta(days=40), NOON
    events.insert_hits([bare(0, "9.1.1.1", at=old, unenriched=()), bare(1, "9.1.1.1", at=new, unenriched=())])
    ENRICH.ask(tmp_path, wanted(StepName.LOCATION, since=NOON - timedelta(days=1)))
    assert finish(tmp_path, history()).events_done == 1
    assert places(events) == [("", "", ""), ("FR", "Paris", "")]


def test_an_event_reads_as_if_it_had_been_enriched_when_it_was_stored(events, history, tmp_path, parser):
    send = send_id()
    headers = {"user-agent": IPHONE, "sec-ch-ua-platform": '"iOS"'}
    unknown = {"client": UNKNOWN_CLIENT, "location": UNKNOWN, "unenriched": ("client", "location")}
    hits = [hit(1, send, kind=kind, client_address="8.1.1.1", headers=headers) for kind in HitKind]
    events.insert_hits([hit_row(each, record=number, **unknown) for number, each in enumerate(hits)])
    ENRICH.ask(tmp_path, wanted())

    assert finish(tmp_path, history()).events_done == 4

    for event in events.send_events(1, send):
        assert event.location == location_of(LONDON)
        assert event.client == parser.parse(HitKind(event.event), headers)
        assert event.client.device == "iPhone"


def test_what_a_step_cannot_say_stays_as_it_was_and_is_counted(events, history, tmp_path):
    events.insert_hits([bare(0, "8.1.1.1"), bare(1, "9.1.1.1"), bare(2, "9.1.1.1")])
    work = history()
    locate_all = work._locator.locate_all

    def fail(addresses):
        if "9.1.1.1" in addresses:
            raise ValueError("9.1.1.1")
        return locate_all(addresses)

    work._locator = SimpleNamespace(locate_all=fail, is_ready=True)
    ENRICH.ask(tmp_path, wanted(StepName.LOCATION))
    assert finish(tmp_path, work).failures == 1
    assert places(events) == [("GB", "London", ""), ("", "", "location"), ("", "", "location")]


def test_many_addresses_take_several_rounds_and_none_is_left_out(events, history, tmp_path):
    events.insert_hits([bare(n, f"{8 + n % 2}.1.{n % 100}.7") for n in range(500)])
    ENRICH.ask(tmp_path, wanted(StepName.LOCATION))
    work = history(keys_max=10)
    work.work()
    assert len(ENRICH.read(tmp_path).rounds) == 10
    finish(tmp_path, work)
    assert Counter(places(events)) == {("GB", "London", ""): 250, ("FR", "Paris", ""): 250}


def test_clicks_that_come_meanwhile_are_kept_as_they_came(events, history, tmp_path):
    events.insert_hits([bare(n, f"8.1.{n}.7") for n in range(50)])
    ENRICH.ask(tmp_path, wanted(StepName.LOCATION, since=NOON - timedelta(days=1)))
    work, came = history(keys_max=10), 50
    while not ENRICH.read(tmp_path).is_over:
        if work.work():
            events.insert_hits([hit_row(hit(1, send_id(), client_address="8.2.1.1"), record=came)])
            came += 1
    assert came > 55
    assert Counter(city for _, city, _ in places(events)) == {"London": came}
    assert events._query("test", "SELECT count(), uniqExact(record) FROM events") == [(came, came)]


def test_a_process_that_dies_between_a_round_and_its_note_does_the_round_again(events, history, tmp_path, monkeypatch):
    events.insert_hits([bare(n, f"8.1.{n}.7") for n in range(30)])
    ENRICH.ask(tmp_path, wanted(StepName.LOCATION))
    first = history(keys_max=10)
    first.work()
    monkeypatch.setattr(first, "_save", lambda _: None)
    first.work()
    assert finish(tmp_path, history(keys_max=10)).events_done in range(10, 31)
    assert {country for country, _, _ in places(events)} == {"GB"}


def test_without_a_database_the_job_ends_and_says_what_to_do(events, tmp_path, parser, caplog):
    ENRICH.ask(tmp_path, wanted(StepName.LOCATION))
    work = Reenrichment(tmp_path, events.history, parser, Locator([tmp_path / "none"]))
    job = finish(tmp_path, work)
    assert (job.state, job.problem) == (JobState.FAILED, "there is no geoip database: run `waypost geoip update`")
    (logged,) = (each for each in caplog.records if each.name == "waypost.pipeline.reenrich")
    assert (logged.levelname, logged.message) == (
        "ERROR",
        "enriching events again is given up after 0: there is no geoip database: run `waypost geoip update`",
    )


def test_a_job_that_is_called_off_goes_no_further(events, history, tmp_path):
    events.insert_hits([bare(n, f"8.1.{n}.7") for n in range(50)])
    ENRICH.ask(tmp_path, wanted(StepName.LOCATION))
    work = history(keys_max=5)
    work.work()
    assert ENRICH.call_off(tmp_path).state is JobState.RUNNING
    assert work.work() == 0
    assert {country for country, _, _ in places(events)} == {""}


def test_a_job_that_is_called_off_in_the_middle_of_a_round_leaves_nothing_that_others_wait_for(
    events, history, tmp_path, monkeypatch
):
    events.insert_hits([row := bare(0, "8.1.1.1")])
    ENRICH.ask(tmp_path, wanted(StepName.LOCATION))
    work = history()
    work.work()
    engine, rewrite = events._connection.writer, events.history.rewrite

    def called_off_meanwhile(*what):
        rewrite(*what)
        ENRICH.call_off(tmp_path)

    monkeypatch.setattr(events.history, "rewrite", called_off_meanwhile)
    engine.command("SYSTEM STOP MERGES events")  # the round takes its time
    try:
        work.work()
    finally:
        engine.command("SYSTEM START MERGES events")
    assert events.history.going_on() is None
    assert events.erasing.erase([(1, row.hit.send_id)], "a@example.com").events == 1


def test_one_job_at_a_time(tmp_path):
    first, second = wanted(StepName.LOCATION), wanted(StepName.CLIENT)
    assert ENRICH.ask(tmp_path, first) == first
    assert ENRICH.ask(tmp_path, second) == first
    ENRICH.call_off(tmp_path)
    assert ENRICH.ask(tmp_path, second) == second


def test_a_round_that_the_engine_cannot_do_is_given_up_after_a_minute(events, history, tmp_path):
    events.insert_hits([bare(0, "8.1.1.1")])
    clock = [0.0]
    work = history(monotonic=lambda: clock[0])
    ENRICH.ask(tmp_path, wanted(StepName.LOCATION))
    work.work()
    work.work()
    events.history.going_on = lambda: "no room on the disk"
    work.work()
    assert ENRICH.read(tmp_path).state is JobState.RUNNING
    clock[0] = 61.0
    work.work()
    job = ENRICH.read(tmp_path)
    assert (job.state, job.problem) == (JobState.FAILED, "no room on the disk")


def child(*arguments):
    command = [sys.executable, Path(__file__).parent / "reenrich.py", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def said(*arguments):
    with child(*arguments) as process:
        return process.communicate(timeout=240)[0]


def test_killed_again_and_again_it_ends_with_every_event_once_and_each_with_its_place(tmp_path, city):
    seed = random.randrange(2**32)
    print("seed", seed)
    instants = random.Random(seed)
    assert said("fill", tmp_path, city) == "filled\n"
    ENRICH.ask(tmp_path, wanted(StepName.LOCATION))

    killed = 0
    while not ENRICH.read(tmp_path).is_over:
        with child("work", tmp_path, city) as process:
            assert process.stdout.readline() == "working\n"
            if killed < 4:
                try:
                    process.wait(timeout=instants.uniform(0, 0.6))
                except subprocess.TimeoutExpired:
                    process.kill()
                    killed += 1
            assert process.wait(timeout=240) in {0, -9}

    assert killed
    assert ENRICH.read(tmp_path).state is JobState.DONE
    assert json.loads(said("show", tmp_path, city)) == {
        "events": 8000,
        "distinct": 8000,
        "places": [["FR", 4000], ["GB", 4000]],
    }
