"""E11: what is older than its account keeps it goes from both stores, and what was worked out from it stays.

Run by test_retention.py, in a process of its own.
"""

import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from msgspec.structs import replace
from sqlalchemy import select
from tests.unit.store.rows import LONDON, PERSON, PHONE, hit, hit_row, send_event, send_id, send_row

from waypost.config.settings import RetentionSettings
from waypost.db import database_url
from waypost.db.states import DeliveryState
from waypost.db.tables import Account, Delivery, Profile, RetentionRun, Send
from waypost.events.client_parser import ClientParser
from waypost.events.name import EventName
from waypost.pipeline.anonymous import anonymous
from waypost.pipeline.counts import Counts
from waypost.pipeline.enrich import StepName
from waypost.pipeline.hold import hold_segments
from waypost.pipeline.job import JobState
from waypost.pipeline.reclassify import RECLASSIFY, Reclassification, ReclassifyJob
from waypost.pipeline.reenrich import ENRICH, EnrichJob, Reenrichment
from waypost.pipeline.retention import Retention, newest_run
from waypost.pipeline.verdicts import Settler
from waypost.store import EventStore
from waypost.store.errors import StoreFailed
from waypost.store.verdicts import Judged

TODAY = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
DEFAULTS = RetentionSettings(event_days=0, address_days=180, user_agent_days=180)
FINAL = replace(PERSON, final=True, score=-7)


class Somewhere:
    """A locator that knows one place."""

    is_ready = True

    def __init__(self, location):
        self.location = location

    def locate_all(self, addresses):
        return [self.location] * len(addresses)


class Install:
    """Both stores, accounts with days of their own, and the pipeline's parts over them."""

    def __init__(self, data, database, store):
        self.data, self.database, self.store = data, database, store
        self.now = TODAY
        self.retention = self.made()
        self.records = 0

    def made(self, settings=DEFAULTS):
        return Retention(self.database, self.store, settings, self.held, now=lambda: self.now)

    def held(self, names):
        return hold_segments(self.database, names)

    def account(self, **days):
        with self.database.writing() as session:
            account = Account(
                public_id=uuid4(), name="n", email=f"{uuid4()}@b.example", created_at=TODAY, modified_at=TODAY, **days
            )
            session.add(account)
            session.flush()
            profile = Profile(
                public_id=uuid4(),
                account=account.number,
                profile_name="p",
                sending_domain="b.example",
                link_domain="localhost",
                created_at=TODAY,
                modified_at=TODAY,
            )
            session.add(profile)
            return account.number

    def sent(self, account, days_ago, state=DeliveryState.DELIVERED):
        at = TODAY - timedelta(days=days_ago)
        send = send_id(at)
        with self.database.writing() as session:
            profile = session.scalars(select(Profile.number).where(Profile.account == account)).one()
            row = Send(
                send_id=send,
                send_key=uuid4().hex[:27],
                account=account,
                profile=profile,
                content_id=None,
                from_email_address="a@b.example",
                recipient_email_address="reader@example.com",
                created_at=at,
                modified_at=at,
            )
            session.add(row)
            session.flush()
            session.add(Delivery(send_id=send, state=state, next_attempt_at=at, created_at=at))
        self.store.insert_sends([send_row(account, send, accepted_at=at)])
        self.store.insert_send_events([send_event(account, send, EventName.SENT, occurred_at=at)])
        return send

    def clicked(self, account, send, *days_ago, verdict=FINAL, change=lambda row: row):
        """Each in an insert of its own, and so in a part of its own; its verdict lies beside it, as it mostly does."""
        ids = []
        for days in days_ago:
            self.records += 1
            click = hit(account, send, occurred_at=TODAY - timedelta(days=days))
            self.store.insert_hits([change(hit_row(click, record=self.records))])
            if verdict is not None:
                judged = Judged(account, send, click.event_id, click.occurred_at, verdict)
                self.store.verdicts.write([judged])
            ids.append(click.event_id)
        return ids

    def run(self):
        """A day's run, to its end."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            self.now += timedelta(seconds=1)
            self.retention.work()
            run = newest_run(self.database)
            if run is not None and run.finished_at is not None and run.started_at.date() == self.now.date():
                assert run.problem == ""
                return {what: count for what, count in run.counts.items() if count}
            time.sleep(0.01)
        raise AssertionError(f"it does not end: {self.store.retention.going_on()!r}")

    def events(self, account):
        rows = self.store._query(
            "test",
            "SELECT event_id, client_address, user_agent, headers, city, browser, verdict_score FROM events "
            f"WHERE account = {account} AND event = 'click'",
        )
        return {row[0]: tuple(row[1:]) for row in rows}

    def kept_sends(self, account):
        with self.database.reading() as session:
            control = set(session.scalars(select(Send.send_id).where(Send.account == account)))
        slim = {row[0] for row in self.store._query("test", f"SELECT send_id FROM sends WHERE account = {account}")}
        return control, slim

    def mutations(self):
        return self.store._query("test", "SELECT count() FROM system.mutations")[0][0]


@pytest.fixture
def new_database(request, tmp_path):
    """SQLite, but for the tests of what goes from the control database: see `ON_BOTH`."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return str(database_url("", tmp_path).render_as_string())
    return request.getfixturevalue("postgresql").new_database()


ON_BOTH = pytest.mark.parametrize("new_database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(scope="module")
def own_store(tmp_path_factory):
    opened = EventStore.open("", tmp_path_factory.mktemp("own"))
    yield opened
    opened.close()


@pytest.fixture
def install(tmp_path, database, own_store):
    """Another install's events stay in the store, of accounts with the same numbers: they are taken away."""
    own_store._connection.writer.command("ALTER TABLE events DELETE WHERE 1", settings={"mutations_sync": 2})
    own_store._connection.writer.command("ALTER TABLE sends DELETE WHERE 1", settings={"mutations_sync": 2})
    return Install(tmp_path, database, own_store)


def clear(event):
    return event[:3] == ("", "", {})


def test_addresses_and_user_agents_go_after_180_days_and_what_they_told_stays(install):
    account = install.account()
    send = install.sent(account, 200)
    old, last, young = install.clicked(account, send, 200, 181, 179)

    assert install.run() == {"addresses": 2, "user_agents": 2}

    events = install.events(account)
    assert len(events) == 3
    assert [clear(events[each]) for each in (old, last, young)] == [True, True, False]
    assert {event[3:] for event in events.values()} == {("London", "Mobile Safari", -7)}
    assert install.kept_sends(account) == ({send}, {send})


def test_accounts_keep_as_long_as_they_say(install):
    """Each field for itself; 0 is for ever."""
    apart = install.account(address_days=10, user_agent_days=100)
    ever = install.account(address_days=0, user_agent_days=0)
    found = {}
    for account in (apart, ever):
        [found[account]] = install.clicked(account, install.sent(account, 50), 50)
    [oldest] = install.clicked(ever, install.sent(ever, 2000), 2000)

    install.run()

    address, user_agent, headers, *_ = install.events(apart)[found[apart]]
    assert (address, bool(user_agent), bool(headers)) == ("", True, True)
    assert not any(clear(install.events(ever)[each]) for each in (found[ever], oldest))


@ON_BOTH
def test_events_go_with_their_sends_but_not_sends_that_are_clicked_still(install):
    account, other = install.account(event_days=30), install.account()
    gone, clicked, young = (install.sent(account, days) for days in (40, 40, 20))
    kept = install.sent(other, 40)
    install.clicked(account, gone, 39, 38)
    _, last = install.clicked(account, clicked, 39, 2)
    install.clicked(other, kept, 39)

    counts = install.run()

    assert counts == {"events": 5, "deliveries": 1, "sends": 1, "slim_sends": 1}
    assert set(install.events(account)) == {last}
    assert install.kept_sends(account) == ({clicked, young}, {clicked, young})
    assert len(install.events(other)) == 1
    assert install.kept_sends(other) == ({kept}, {kept})


@pytest.mark.parametrize("state", [DeliveryState.QUEUED, DeliveryState.SENDING])
def test_what_is_still_to_be_delivered_stays_in_both_stores(install, state):
    account = install.account(event_days=30)
    waiting = install.sent(account, 40, state)
    install.sent(account, 40)
    assert install.run() == {"events": 2, "deliveries": 1, "sends": 1}
    control, slim = install.kept_sends(account)
    assert (control, waiting in slim) == ({waiting}, True)
    with install.database.writing() as session:
        session.scalars(select(Delivery).where(Delivery.send_id == waiting)).one().state = DeliveryState.FAILED
    install.now += timedelta(days=1)
    install.run()
    assert install.kept_sends(account) == (set(), set())


def test_sends_go_page_by_page(install, monkeypatch):
    monkeypatch.setattr("waypost.pipeline.retention.AT_ONCE", 2)
    account = install.account(event_days=30)
    for _ in range(5):
        install.sent(account, 40)
    assert install.run()["sends"] == 5
    assert install.kept_sends(account) == (set(), set())


def test_the_install_has_days_for_all_who_say_nothing(install):
    account, own = install.account(), install.account(event_days=0, address_days=0)
    for each in (account, own):
        install.clicked(each, install.sent(each, 40), 40)
    install.retention = install.made(RetentionSettings(event_days=30, address_days=7, user_agent_days=0))
    install.run()
    assert install.events(account) == {}
    assert install.kept_sends(account) == (set(), set())
    assert [event[0] for event in install.events(own).values()] == ["2001:db8::1"]


def test_nothing_is_rewritten_for_nothing_and_it_is_once_a_day(install):
    account = install.account()
    install.clicked(account, install.sent(account, 300), 300, 100)
    install.run()
    before = install.mutations()

    install.clicked(account, install.sent(account, 300), 300)
    install.now = TODAY + timedelta(hours=20)
    assert install.retention.work() == 0  # done for today
    install.now = TODAY + timedelta(days=1)
    assert install.run() == {"addresses": 1, "user_agents": 1}
    done = install.mutations()
    assert done > before
    install.now = TODAY + timedelta(days=2)
    assert install.run() == {}
    assert install.mutations() == done


def test_a_late_hit_has_its_verdict_first(install):
    account = install.account()
    [late] = install.clicked(account, install.sent(account, 200), 200, verdict=None)
    assert install.run() == {}
    settler = Settler(install.store, Counts(), install.held, now=lambda: install.now)
    assert settler.settle() == 1
    install.now += timedelta(days=1)
    assert install.run() == {"addresses": 1, "user_agents": 1}
    assert clear(install.events(account)[late])


@ON_BOTH
def test_cut_short_it_is_gone_on_with(install, monkeypatch):
    account = install.account(event_days=30)
    send = install.sent(account, 100)
    install.clicked(account, send, 100, 60)

    def fail(*_args):
        raise StoreFailed("test", "cut short")

    with monkeypatch.context() as patch:
        patch.setattr(install.store.retention, "sends_due", fail)
        with pytest.raises(StoreFailed):
            install.run()
    assert newest_run(install.database).finished_at is None
    install.retention = install.made()
    install.run()
    assert install.events(account) == {}
    assert install.kept_sends(account) == (set(), set())
    with install.database.reading() as session:
        assert len(session.scalars(select(RetentionRun.number)).all()) == 1


def test_an_enrichment_does_not_take_the_place_and_the_client_of_what_was_cleared(install):
    account = install.account(user_agent_days=50)
    send = install.sent(account, 200)
    forgotten, half, young = install.clicked(account, send, 200, 100, 10)
    [erased] = install.clicked(account, None, 10, verdict=None, change=anonymous)
    install.run()
    before = install.events(account)

    unknown = replace(LONDON, country="FR", city="Paris")
    parser = ClientParser()
    again = Reenrichment(install.data, install.store.history, parser, Somewhere(unknown))
    ENRICH.ask(install.data, EnrichJob(asked_at=TODAY, steps=list(StepName), since=TODAY - timedelta(days=1000)))
    until = time.monotonic() + 60
    while not (job := ENRICH.read(install.data)).is_over and time.monotonic() < until:
        again.work()
        time.sleep(0.01)
    assert job.state is JobState.DONE

    after = install.events(account)
    assert after[forgotten] == before[forgotten]
    assert after[erased] == before[erased]
    assert after[erased][4] == PHONE.browser
    assert after[half][3:5] == ("Paris", PHONE.browser)
    assert after[young][3] == "Paris"
    assert after[young][4] != PHONE.browser  # the header names none


def test_verdicts_stay_where_what_they_rest_on_was_cleared(install):
    account = install.account()
    send = install.sent(account, 200)
    install.clicked(account, send, 200, 100)
    other = install.sent(account, 100)
    install.clicked(account, other, 100)
    install.clicked(account, None, 10, change=lambda row: anonymous(replace(row, verdict=FINAL)), verdict=None)
    install.run()

    RECLASSIFY.ask(install.data, ReclassifyJob(asked_at=TODAY))
    again = Reclassification(install.data, install.store, install.held, now=lambda: TODAY)
    while again.work():
        pass
    job = RECLASSIFY.read(install.data)
    assert (job.state, job.events_done, job.kept) == (JobState.DONE, 4, 3)

    def scores():
        events = install.store.send_events(account, send) + install.store.send_events(account, other)
        return [event.verdict.score for event in events if event.verdict is not None]

    assert scores()[:2] == [-7, -7]
    assert scores()[2] != -7  # judged by today's rules

    # A new click is judged by what is known, and the final ones stay.
    [new] = install.clicked(account, send, 0, verdict=None)
    settler = Settler(install.store, Counts(), install.held, now=lambda: TODAY + timedelta(days=1))
    assert settler.settle() == 1
    assert scores()[:2] == [-7, -7]
    last = install.store.send_events(account, send)[-1]
    assert (last.event_id, last.verdict.final) == (new, True)


def test_a_round_that_is_stuck_is_given_up_until_the_next_day(install, monkeypatch):
    account = install.account()
    [old] = install.clicked(account, install.sent(account, 200), 200)
    clock, killed = [0.0], []
    install.retention = Retention(
        install.database,
        install.store,
        DEFAULTS,
        install.held,
        now=lambda: install.now,
        monotonic=lambda: clock[0],
    )
    with monkeypatch.context() as patch:
        assert install.retention.work() == 1
        patch.setattr(install.store.retention, "going_on", lambda: "no room")
        patch.setattr(install.store.retention, "give_up", lambda: killed.append(True))
        for seconds in (0, 59, 61):
            assert (killed, newest_run(install.database).finished_at) == ([], None)
            clock[0], install.now = seconds, install.now + timedelta(seconds=1)
            assert install.retention.work() == 0
    run = newest_run(install.database)
    assert (run.problem, run.finished_at, killed) == ("no room", install.now, [True])
    install.now += timedelta(hours=1)
    assert install.retention.work() == 0
    install.now += timedelta(days=1)
    install.run()
    assert clear(install.events(account)[old])


@ON_BOTH
def test_one_of_several_pipelines_does_it(install):
    install.account()
    with install.database.reading() as session:
        assert session.scalars(select(RetentionRun.number)).all() == []

    class Taken:
        def __enter__(self):
            return frozenset()

        def __exit__(self, *_):
            pass

    retention = Retention(install.database, install.store, DEFAULTS, lambda _: Taken(), now=lambda: TODAY)
    assert retention.work() == 0
    assert newest_run(install.database) is None


def test_sends_are_told_apart_by_the_time_in_their_ids(install):
    account = install.account(event_days=30)
    at_midnight = install.sent(account, 30.125)
    just_before = install.sent(account, 30.126)
    install.run()
    assert install.kept_sends(account) == ({at_midnight}, {at_midnight})
    assert just_before not in install.kept_sends(account)[1]


def test_a_month_that_went_whole_holds_nothing_up_that_comes_later(install):
    """Verdicts lay beside its parts; so do those of what comes into the same month afterwards, and it goes as well."""
    account = install.account(event_days=30)
    for day in range(3):
        install.now = TODAY + timedelta(days=day)
        send = install.sent(account, 100)
        install.clicked(account, send, 100, 99, 98)
        assert install.run() == {"events": 4, "deliveries": 1, "sends": 1, "slim_sends": 1}
        assert install.events(account) == {}
    young = install.clicked(account, install.sent(account, 1), 0, 0)
    install.retention = install.made(DEFAULTS)
    install.now = TODAY + timedelta(days=3)
    assert install.run() == {}
    assert set(install.events(account)) == set(young)
