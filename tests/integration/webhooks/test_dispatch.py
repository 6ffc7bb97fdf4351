"""Telling endpoints, over a real control database: what arrives, and what becomes of receivers that do not take it."""

import asyncio
import base64
import json
import logging
import ssl
from datetime import timedelta

import pytest
from sqlalchemy import update
from standardwebhooks import Webhook
from tests.certificates import Authority
from tests.integration.webhooks.receivers import (
    closes_early,
    dripping_body,
    dripping_headers,
    endless_headers,
    half_an_answer,
    huge_body,
    informs_for_ever,
    late,
    once,
    receiving,
    speaks_no_http,
    status,
)
from tests.integration.webhooks.rig import KEY, Rig, until
from tests.loop_clock import LoopClock

from waypost.db.states import AccountState, AttemptOutcome, EndpointState, NoticeState
from waypost.db.tables import WebhookEndpoint, WebhookNotice
from waypost.db.webhook_secrets import WebhookSecret, seal_webhook_secret
from waypost.webhooks import sender
from waypost.webhooks.process import ENDPOINT_REQUESTS
from waypost.webhooks.queue import LEASE_SECONDS, Queue

OK = status(200, body=b"thanks")


@pytest.fixture
def rig(database, tmp_path):
    return Rig(database, tmp_path)


def test_a_receiver_gets_the_event_signed_and_its_answer_is_kept(rig):
    async def scenario():
        async with receiving(OK) as receiver:
            account = rig.account()
            endpoint, secret = rig.endpoint(account, receiver.url, credentials="na:me:pass")
            click = rig.click(account, tags=["grün"])
            assert rig.notices.occurred([click]) == 1
            async with rig.running():
                await until(rig.settled(1))
        [request] = receiver.requests
        message = Webhook(secret).verify(request.body, request.headers)
        assert message == {
            "type": "click",
            "timestamp": click.occurred_at.isoformat().replace("+00:00", "Z"),
            "data": rig.events[account, click.send_id][click.event_id],
        }
        assert request.headers["webhook-id"] == str(click.event_id)
        assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
        assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"na:me:pass"
        assert request.head.startswith(b"POST /in?a=1 HTTP/1.1\r\n")
        [attempt] = rig.attempts()
        assert (attempt.outcome, attempt.status, attempt.answer) == (AttemptOutcome.DELIVERED, 200, "thanks")
        assert rig.row(endpoint).succeeded_at is not None
        assert rig.counts.attempts[AttemptOutcome.DELIVERED] == rig.counts.notices == 1

    asyncio.run(scenario())


def outcome_of(rig, answer, **running):
    """One attempt at such a receiver: the attempt, and the notice after it."""

    async def scenario():
        async with receiving(answer) as receiver:
            account = rig.account()
            rig.endpoint(account, receiver.url)
            rig.notices.occurred([rig.click(account)])
            async with rig.running(**running):
                await until(rig.attempts)
        [attempt] = rig.attempts()
        [notice] = rig.notices_kept()
        return attempt, notice

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (status(200), AttemptOutcome.DELIVERED, 200),
        (status(204), AttemptOutcome.DELIVERED, 204),
        (status(302, "Location: http://127.0.0.1:1/"), AttemptOutcome.STATUS, 302),
        (status(400), AttemptOutcome.STATUS, 400),
        (status(500, body=b"\xff\x00"), AttemptOutcome.STATUS, 500),
        (late(1.2, status(200)), AttemptOutcome.DELIVERED, 200),
        (late(60, status(200)), AttemptOutcome.TIMEOUT, None),
        (closes_early, AttemptOutcome.BROKEN, None),
        (half_an_answer, AttemptOutcome.BROKEN, None),
        (endless_headers, AttemptOutcome.BROKEN, None),
        (dripping_headers, AttemptOutcome.TIMEOUT, None),
        (informs_for_ever, AttemptOutcome.TIMEOUT, None),
        (speaks_no_http, AttemptOutcome.BROKEN, None),
        (huge_body, AttemptOutcome.DELIVERED, 200),
        (dripping_body, AttemptOutcome.DELIVERED, 200),
    ],
)
def test_whatever_a_receiver_does_is_one_attempt_and_no_more_of_its_answer_is_kept(rig, answer, outcome, code):
    patience = {"seconds": 1.5} if outcome is AttemptOutcome.TIMEOUT else {}
    attempt, notice = outcome_of(rig, answer, **patience)

    assert (attempt.outcome, attempt.status) == (outcome, code)
    assert len(attempt.answer) <= 1024
    assert attempt.duration_ms < 20_000
    delivered = outcome is AttemptOutcome.DELIVERED
    assert notice.state is (NoticeState.DELIVERED if delivered else NoticeState.PENDING)
    if not delivered:
        assert attempt.error
        waits = notice.next_attempt_at - attempt.started_at - timedelta(milliseconds=attempt.duration_ms)
        assert timedelta(seconds=5) <= waits <= timedelta(seconds=5.6)


@pytest.mark.parametrize(
    ("shown", "outcome"),
    [("127.0.0.1", AttemptOutcome.DELIVERED), ("127.0.0.2", AttemptOutcome.UNREACHABLE)],
    ids=("its own name", "another's"),
)
def test_a_certificate_must_be_the_receivers_own(rig, tmp_path, shown, outcome):
    authority = Authority(tmp_path)

    async def scenario():
        async with receiving(OK, tls=authority.context(shown)) as receiver:
            account = rig.account()
            rig.endpoint(account, receiver.url.replace("http:", "https:"))
            rig.notices.occurred([rig.click(account)])
            async with rig.running(trust=ssl.create_default_context(cafile=authority.root)):
                await until(rig.attempts)
        assert len(receiver.requests) == (outcome is AttemptOutcome.DELIVERED)

    asyncio.run(scenario())
    [attempt] = rig.attempts()
    assert attempt.outcome is outcome
    assert ("certificate" in attempt.error) == (outcome is AttemptOutcome.UNREACHABLE)


@pytest.mark.parametrize(("seconds", "outcome"), [(14, AttemptOutcome.DELIVERED), (15, AttemptOutcome.TIMEOUT)])
def test_an_answer_after_fourteen_seconds_is_in_time_and_after_fifteen_nobody_waits_for_one(rig, seconds, outcome):
    async def scenario():
        clock, answers = LoopClock(), asyncio.Event()
        async with receiving(once(answers, OK)) as receiver:
            account = rig.account()
            rig.endpoint(account, receiver.url)
            rig.notices.occurred([rig.click(account)])
            async with rig.running(seconds=sender.ATTEMPT_SECONDS):
                await clock.until(lambda: receiver.requests)
                clock.pass_seconds(seconds)
                if outcome is AttemptOutcome.DELIVERED:
                    answers.set()
                await clock.until(rig.attempts)

    asyncio.run(scenario())
    [attempt] = rig.attempts()
    assert (attempt.outcome, attempt.duration_ms) == (outcome, seconds * 1000)


def test_retry_after_is_waited_for(rig):
    attempt, notice = outcome_of(rig, status(503, "Retry-After: 3600"))
    assert notice.next_attempt_at - attempt.started_at >= timedelta(hours=1)


def test_410_disables_the_endpoint_and_says_why(rig, caplog):
    async def scenario():
        async with receiving(status(410)) as receiver:
            account = rig.account()
            endpoint, _ = rig.endpoint(account, receiver.url)
            rig.notices.occurred([rig.click(account) for _ in range(3)])
            with caplog.at_level(logging.WARNING, logger="waypost.webhooks.dispatch"):
                async with rig.running():
                    await until(lambda: rig.row(endpoint).state is EndpointState.DISABLED)
        row = rig.row(endpoint)
        assert "410" in row.disabled_reason
        assert row.disabled_at is not None
        assert str(endpoint.public_id) in caplog.text
        assert rig.counts.endpoints_disabled == 1
        assert rig.notices.occurred([rig.click(account)]) == 0
        assert rig.figures().endpoints_disabled == 1

    asyncio.run(scenario())


def test_five_days_of_failing_disable_the_endpoint_and_a_success_begins_anew(rig):
    async def scenario():
        answers = [status(500)]

        async def answer(request, writer):
            await answers[0](request, writer)

        async with receiving(answer) as receiver:
            account = rig.account()
            endpoint, _ = rig.endpoint(account, receiver.url)

            def begin(days):
                rig.offset = timedelta(days=days)
                rig.notices.occurred([rig.click(account)])

            async def after(days):
                """The endpoint's row, once all that is due on that day has been tried."""
                begin(days)
                await until(rig.nothing_is_due)
                return rig.row(endpoint)

            async with rig.running():
                assert (await after(0)).failing_since is not None
                answers[0] = OK
                assert (await after(4)).failing_since is None
                answers[0] = status(500)
                assert (await after(5)).failing_since is not None
                assert (await after(9)).state is EndpointState.ENABLED
                begin(10.1)
                await until(lambda: rig.row(endpoint).state is EndpointState.DISABLED)
        assert "five days" in rig.row(endpoint).disabled_reason

    asyncio.run(scenario())


def test_days_in_which_nothing_was_to_be_sent_are_none_of_the_five(rig):
    async def scenario():
        async with receiving(status(500)) as receiver:
            account = rig.account()
            endpoint, _ = rig.endpoint(account, receiver.url)

            def has_failed(times):
                return lambda: len(rig.attempts()) == times and rig.nothing_is_due()

            rig.notices.occurred([rig.click(account)])
            async with rig.running():
                await until(has_failed(1))
                assert rig.row(endpoint).failing_since is not None
                with rig.database.writing() as session:
                    session.execute(update(WebhookNotice).values(attempts=9))
                rig.offset = timedelta(days=4)
                await until(rig.settled(1))
                rig.offset = timedelta(days=30)
                rig.notices.occurred([rig.click(account)])
                await until(has_failed(3))
        row = rig.row(endpoint)
        assert row.state is EndpointState.ENABLED
        assert rig.now() - row.failing_since < timedelta(days=1)

    asyncio.run(scenario())


def test_after_ten_attempts_a_message_is_given_up(rig):
    async def scenario():
        async with receiving(status(500)) as receiver:
            account = rig.account()
            endpoint, _ = rig.endpoint(account, receiver.url)
            rig.notices.occurred([rig.click(account)])
            async with rig.running():
                for attempt in range(10):
                    await until(lambda made=attempt + 1: len(rig.attempts()) >= made)
                    rig.offset += timedelta(hours=27)
                    with rig.database.writing() as session:  # five days would end it first
                        session.get(WebhookEndpoint, endpoint.number).failing_since = None
                await until(rig.settled(1))
        assert len(receiver.requests) == 10
        assert len(set(receiver.ids)) == 1
        assert NoticeState.FAILED in rig.states()

    asyncio.run(scenario())


def test_a_receiver_that_nothing_is_sent_to_any_more_is_let_go(rig, monkeypatch):
    monkeypatch.setattr(sender, "_KEEPALIVE_SECONDS", 60)

    async def scenario():
        async with receiving(OK) as receiver:
            account = rig.account()
            rig.endpoint(account, receiver.url)
            rig.notices.occurred([rig.click(account)])
            async with rig.running():
                await until(rig.settled(1))
                await asyncio.sleep(0.5)
                assert receiver.at_once == 1
                monkeypatch.setattr(sender, "_KEEPALIVE_SECONDS", 0.3)
                await until(lambda: receiver.at_once == 0)

    asyncio.run(scenario())


def test_a_slow_endpoint_delays_no_other(rig):
    async def scenario():
        answers = asyncio.Event()
        async with receiving(once(answers, OK)) as slow, receiving(OK) as quick:
            account = rig.account()
            rig.endpoint(account, slow.url)
            told, _ = rig.endpoint(account, quick.url)
            rig.notices.occurred([rig.click(account) for _ in range(100)])
            began = asyncio.get_running_loop().time()
            async with rig.running():
                await until(lambda: rig.states(told).get(NoticeState.DELIVERED) == 100)
                took = asyncio.get_running_loop().time() - began
                assert len(slow.requests) == slow.at_once > 0, "none of them has its answer"
                answers.set()
        assert quick.most_at_once <= ENDPOINT_REQUESTS
        assert slow.most_at_once <= ENDPOINT_REQUESTS
        return took

    print(f"\n100 messages beside a stuck endpoint: {asyncio.run(scenario()):.1f} s")


def test_endpoints_in_trouble_leave_room_for_the_others(database, tmp_path):
    """As many stuck endpoints as there are slots but one: each has one slot once it is known for slow."""
    rig = Rig(database, tmp_path, connections=9)

    async def scenario():
        answers = asyncio.Event()
        async with receiving(once(answers, OK)) as slow, receiving(OK) as quick:
            account, other = rig.account(), rig.account()
            for _ in range(8):
                rig.endpoint(account, slow.url, failing_since=rig.now())
            told, _ = rig.endpoint(other, quick.url)
            rig.notices.occurred([rig.click(account) for _ in range(20)])
            async with rig.running():
                await until(lambda: slow.at_once == 8)
                rig.notices.occurred([rig.click(other) for _ in range(10)])
                await until(lambda: rig.states(told).get(NoticeState.DELIVERED) == 10)
                assert len(slow.requests) == slow.at_once == 8, "none of them has its answer, or another slot"
                answers.set()

    asyncio.run(scenario())


def test_a_receiver_that_was_down_gets_everything_once_it_is_up(rig):
    async def scenario():
        async with receiving(OK) as gone:
            port = gone.port
        account = rig.account()
        endpoint, _ = rig.endpoint(account, gone.url)
        clicks = [rig.click(account) for _ in range(20)]
        rig.notices.occurred(clicks)
        async with rig.running():
            await until(rig.attempts)
            assert rig.attempts()[0].outcome is AttemptOutcome.UNREACHABLE
            async with receiving(OK, port) as back:
                for _ in range(60):
                    rig.offset += timedelta(minutes=10)
                    await until(rig.nothing_is_due)
                    if rig.settled(20)():
                        break
        # A set: when the clock leaps past a lease, what is on its way at that moment comes once more.
        assert set(back.ids) == {str(click.event_id) for click in clicks}
        assert rig.states(endpoint) == {NoticeState.DELIVERED: 20}
        assert json.loads(back.requests[0].body)["type"] == "click"
        assert rig.row(endpoint).failing_since is None

    asyncio.run(scenario())


def test_what_a_killed_process_had_in_hand_is_taken_again_after_its_lease(rig):
    async def scenario():
        async with receiving(OK) as receiver:
            account = rig.account()
            rig.endpoint(account, receiver.url)
            rig.notices.occurred([rig.click(account)])
            [turn] = Queue(rig.database).claim(rig.now(), 1, lambda _: 1)
            async with rig.running():
                await asyncio.sleep(1)
                assert receiver.requests == []
                rig.offset = timedelta(seconds=LEASE_SECONDS + 1)
                await until(rig.settled(1))
        assert receiver.ids == [str(turn.claims[0].notice.message_id)]

    asyncio.run(scenario())


def test_two_processes_send_each_message_once(rig):
    async def scenario():
        async with receiving(OK) as receiver:
            account = rig.account()
            rig.endpoint(account, receiver.url)
            rig.notices.occurred([rig.click(account) for _ in range(60)])
            async with rig.running(), rig.running():
                await until(rig.settled(60), seconds=120)
        assert len(receiver.ids) == len(set(receiver.ids)) == 60

    asyncio.run(scenario())


@pytest.mark.parametrize("state", [AccountState.PENDING, AccountState.SUSPENDED, AccountState.REJECTED])
def test_while_the_account_is_not_approved_what_happens_is_noted_and_waits(rig, state):
    async def scenario():
        async with receiving(OK) as receiver:
            account = rig.account()
            rig.endpoint(account, receiver.url)
            rig.become(account, state)
            click = rig.click(account)
            assert rig.notices.occurred([click]) == 1
            async with rig.running():
                await asyncio.sleep(1)
                assert (receiver.requests, rig.figures().oldest_due_at) == ([], None)
                rig.become(account, AccountState.APPROVED)
                await until(rig.settled(1))
        assert receiver.ids == [str(click.event_id)]
        [notice] = rig.notices_kept()
        assert (notice.state, notice.attempts) == (NoticeState.DELIVERED, 1)

    asyncio.run(scenario())


def test_what_waits_for_an_approval_is_deleted_when_it_was_kept_long_enough(rig):
    account = rig.account()
    rig.endpoint(account, "http://127.0.0.1:1/")
    rig.notices.occurred([rig.click(account)])
    queue = Queue(rig.database)
    assert queue.clean(rig.now() + timedelta(seconds=1)) == 0
    rig.become(account, AccountState.SUSPENDED)
    assert queue.clean(rig.now() - timedelta(days=7)) == 0
    assert queue.clean(rig.now() + timedelta(seconds=1)) == 1


def test_a_stop_waits_for_what_is_under_way(rig):
    async def scenario():
        async with receiving(late(1, OK)) as receiver:
            account = rig.account()
            rig.endpoint(account, receiver.url)
            rig.notices.occurred([rig.click(account)])
            async with rig.running():
                await until(lambda: receiver.at_once == 1)
        assert rig.states() == {NoticeState.DELIVERED: 1}

    asyncio.run(scenario())


def test_what_a_stop_leaves_of_a_turn_waits_for_no_lease(rig):
    async def scenario():
        async with receiving(late(0.3, OK)) as receiver:
            account = rig.account()
            rig.endpoint(account, receiver.url)
            rig.notices.occurred([rig.click(account) for _ in range(40)])
            async with rig.running():
                await until(lambda: receiver.requests)
        kept = rig.notices_kept()
        assert sum(each.attempts for each in kept) == len(receiver.requests) < 40
        assert all(each.claimed_until is None for each in kept)

    asyncio.run(scenario())


def test_an_event_store_that_is_away_costs_no_attempt(rig):
    async def scenario():
        away = [True]

        def events_of(wanted):
            if away[0]:
                raise OSError("the store is away")
            return rig.events_of(wanted)

        async with receiving(OK) as receiver:
            account = rig.account()
            rig.endpoint(account, receiver.url)
            rig.notices.occurred([rig.click(account)])
            async with rig.running(events_of=events_of):
                await until(lambda: rig.notices_kept()[0].next_attempt_at > rig.now() + timedelta(seconds=2))
                away[0] = False
                rig.offset = timedelta(seconds=6)
                await until(rig.settled(1))
        [notice] = rig.notices_kept()
        assert notice.attempts == 1
        assert len(receiver.requests) == 1

    asyncio.run(scenario())


def test_what_waits_for_a_receiver_is_read_many_at_a_time(rig):
    asked = []

    def events_of(wanted):
        asked.append(len(wanted))
        return rig.events_of(wanted)

    async def scenario():
        async with receiving(OK) as receiver:
            account = rig.account()
            rig.endpoint(account, receiver.url)
            rig.notices.occurred([rig.click(account) for _ in range(200)])
            async with rig.running(events_of=events_of):
                await until(rig.settled(200), seconds=60)
        assert receiver.most_at_once <= ENDPOINT_REQUESTS
        assert len(set(receiver.ids)) == len(receiver.ids) == sum(asked) == 200

    asyncio.run(scenario())
    assert len(asked) <= 200 / (ENDPOINT_REQUESTS / 2)


def test_what_is_sent_at_the_same_time_is_recorded_together(rig, monkeypatch):
    recorded, alone = [], Queue.delivered

    def delivered(queue, made):
        recorded.append(len(made))
        alone(queue, made)

    monkeypatch.setattr(Queue, "delivered", delivered)

    async def scenario():
        async with receiving(OK) as receiver:
            account = rig.account()
            endpoint, _ = rig.endpoint(account, receiver.url, failing_since=rig.now())
            rig.notices.occurred([rig.click(account) for _ in range(200)])
            async with rig.running():
                await until(rig.settled(200))
        assert rig.row(endpoint).failing_since is None

    asyncio.run(scenario())
    assert sum(recorded) == len(rig.attempts()) == 200
    assert len(recorded) < 100


def test_when_one_of_a_turn_fails_the_rest_waits_untried(rig):
    async def scenario():
        async with receiving(status(500)) as receiver:
            account = rig.account()
            rig.endpoint(account, receiver.url)
            rig.notices.occurred([rig.click(account) for _ in range(40)])
            async with rig.running():
                await until(rig.attempts)
        kept = rig.notices_kept()
        assert len(receiver.requests) == sum(each.attempts for each in kept) < 40
        assert all(each.claimed_until is None for each in kept)

    asyncio.run(scenario())


def test_an_event_that_is_not_kept_any_more_is_given_up_and_no_fault_of_the_endpoints(rig):
    async def scenario():
        async with receiving(OK) as receiver:
            account = rig.account()
            endpoint, _ = rig.endpoint(account, receiver.url)
            rig.notices.occurred([rig.click(account)])
            rig.events.clear()
            async with rig.running():
                await until(rig.settled(1))
        assert receiver.requests == []
        assert rig.attempts()[0].outcome is AttemptOutcome.MISSING
        assert rig.row(endpoint).failing_since is None

    asyncio.run(scenario())


def test_while_a_secret_is_replaced_both_sign(rig):
    async def scenario():
        async with receiving(OK) as receiver:
            account = rig.account()
            _, old = rig.endpoint(account, receiver.url, events=[])
            endpoint, new = rig.endpoint(account, receiver.url)
            await asyncio.to_thread(_previous, rig, endpoint, old)
            rig.notices.occurred([rig.click(account)])
            async with rig.running():
                await until(rig.settled(1))
        [request] = receiver.requests
        for secret in (old, new):
            Webhook(secret).verify(request.body, request.headers)

    asyncio.run(scenario())


def _previous(rig, endpoint, secret):
    with rig.database.writing() as session:
        row = session.get(type(endpoint), endpoint.number)
        row.sealed_previous_secret = seal_webhook_secret(KEY, WebhookSecret.SIGNING, endpoint.public_id, secret)
        row.previous_secret_until = rig.now() + timedelta(hours=1)


def test_what_was_kept_long_enough_is_deleted_unless_it_is_still_to_be_told(rig):
    account = rig.account()
    rig.endpoint(account, "http://127.0.0.1:1/")
    rig.notices.occurred([rig.click(account) for _ in range(3)])
    queue = Queue(rig.database)
    with rig.database.writing() as session:
        session.get(WebhookNotice, rig.notices_kept()[0].number).state = NoticeState.DELIVERED
    assert queue.clean(rig.now() - timedelta(days=7)) == 0
    assert queue.clean(rig.now() + timedelta(seconds=1)) == 1
    assert rig.states() == {NoticeState.PENDING: 2}
    assert rig.figures().oldest_due_at is not None
