"""Each event is noted once for each endpoint, however often it is handed over."""

from datetime import timedelta

import pytest
from sqlalchemy import event as database_event
from tests.integration.webhooks.rig import AFTER_VERDICT, Rig
from torture.load import send_id
from torture.told import fill

from waypost.db.erasing import delete_sends
from waypost.db.states import EndpointState, NoticeState, WebhookFormat
from waypost.db.tables import WebhookEndpoint
from waypost.events.notice import NoticeType, Occurrence
from waypost.events.reclassified import Reclassified
from waypost.events.verdict import Verdict, VerdictClass
from waypost.webhooks.notices import VERDICT_WAIT_MAX, Notices

URL = "https://hooks.example/"


@pytest.fixture
def rig(database, tmp_path):
    return Rig(database, tmp_path)


def reclassified(occurrence, before=VerdictClass.HUMAN):
    verdict = Verdict(verdict_class=VerdictClass.MACHINE, score=90, reasons=(), final=True, rules_version=3)
    return Reclassified(occurrence, before, verdict)


def test_handed_over_again_by_another_process_it_is_noted_once(rig):
    account = rig.account()
    for _ in range(2):
        rig.endpoint(account, URL)
    clicks = [rig.click(account) for _ in range(1500)]

    assert rig.notices.occurred(clicks[:700]) == 1400
    assert rig.new_notices().occurred(clicks) == 1600
    assert rig.new_notices().occurred(clicks) == 0
    assert rig.counts.notices == len({(each.endpoint, each.event_id) for each in rig.notices_kept()}) == 3000


def test_only_what_an_endpoint_is_told_of_is_noted(rig):
    account, stranger = rig.account(), rig.account()
    rig.endpoint(account, URL, events=[NoticeType.BOUNCE])
    rig.endpoint(account, URL, state=EndpointState.DISABLED)
    rig.endpoint(stranger, URL)
    bounce = rig.click(account, NoticeType.BOUNCE)

    assert rig.notices.occurred([rig.click(account), bounce]) == 1
    assert [each.event_id for each in rig.notices_kept()] == [bounce.event_id]


def test_what_happened_before_the_endpoint_or_too_long_ago_is_not_noted(rig):
    account = rig.account()
    rig.endpoint(account, URL)
    assert rig.notices.occurred([rig.click(account, at=rig.now() - timedelta(hours=2))]) == 0

    rig.endpoint(account, URL, created_at=rig.now() - timedelta(days=30))
    old = rig.click(account, at=rig.now() - timedelta(days=7, seconds=1))
    assert rig.notices.occurred([old]) == 0


def test_a_click_in_mail_whose_send_is_not_kept_any_more_is_not_noted(rig):
    account, profile = rig.account(1), 1
    rig.endpoint(account, URL)
    fill(rig.database, account + 1, profile, range(2))
    kept, deleted = (rig.click(account, send_id=send_id(number)) for number in range(2))
    rig.offset = timedelta(days=2)
    later = [
        Occurrence(account, each.send_id, rig.click(account).event_id, NoticeType.CLICK, rig.now())
        for each in (kept, deleted)
    ]
    with rig.database.writing() as session:
        delete_sends(session, [deleted.send_id])

    assert rig.notices.occurred(later) == 1
    assert rig.notices.reclassified([reclassified(each) for each in later]) == 1
    assert {each.send_id for each in rig.notices_kept()} == {kept.send_id}


def test_without_endpoints_nothing_is_asked_for_two_seconds(rig):
    account = rig.account()
    clock = [0.0]
    notices = Notices(rig.database, rig.counts, now=rig.now, keep=timedelta(days=7), monotonic=lambda: clock[0])
    asked = []
    database_event.listen(rig.database.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    for _ in range(1000):
        assert not notices.accounts()
        notices.occurred([rig.click(account)])
    assert len([sql for sql in asked if "webhook" in sql]) == 1

    rig.endpoint(account, URL)
    assert notices.accounts() == frozenset()
    clock[0] = 2.0
    assert notices.accounts() == {account}


def test_an_endpoint_that_is_deleted_meanwhile_stops_nothing(rig):
    account = rig.account()
    endpoint, _ = rig.endpoint(account, URL)
    assert rig.notices.accounts() == {account}
    with rig.database.writing() as session:
        session.delete(session.get(WebhookEndpoint, endpoint.number))
    assert rig.notices.occurred([rig.click(account)]) == 0


def test_deleting_an_endpoint_deletes_what_it_was_told(rig):
    account = rig.account()
    endpoint, _ = rig.endpoint(account, URL)
    rig.notices.occurred([rig.click(account)])
    with rig.database.writing() as session:
        session.delete(session.get(WebhookEndpoint, endpoint.number))
    assert rig.notices_kept() == []


def test_after_verdict_waits_for_the_final_one_or_five_minutes(rig):
    account = rig.account()
    rig.endpoint(account, URL, **AFTER_VERDICT)
    click, other, bounce = rig.click(account), rig.click(account), rig.click(account, NoticeType.BOUNCE)
    rig.notices.occurred([click, other, bounce])

    # The change needs no word: it is told with the click itself.
    assert rig.notices.reclassified([reclassified(click)]) == 0
    rig.notices.settled([(account, click.event_id)])

    notices = {each.event_id: each for each in rig.notices_kept()}
    due = {event_id: each.next_attempt_at <= rig.now() for event_id, each in notices.items()}
    assert due == {click.event_id: True, other.event_id: False, bounce.event_id: True}
    assert notices[other.event_id].next_attempt_at - notices[other.event_id].created_at == VERDICT_WAIT_MAX


def test_a_changed_verdict_is_noted_once_and_for_clicks_only(rig):
    account = rig.account()
    rig.endpoint(account, URL)
    rig.endpoint(account, URL, format=WebhookFormat.POSTMARK)
    click, opened = rig.click(account), rig.click(account, NoticeType.OPEN)
    rig.notices.occurred([click])
    changes = [reclassified(click), reclassified(opened)]

    assert rig.notices.reclassified(changes) == 1
    assert rig.new_notices().reclassified(changes) == 0
    assert rig.notices.reclassified([reclassified(click, VerdictClass.UNKNOWN)]) == 1

    told = [each for each in rig.notices_kept() if each.type is NoticeType.CLICK_RECLASSIFIED]
    assert [each.change["previous_verdict"]["class"] for each in told] == ["human", "unknown"]
    assert {each.event_id for each in told} == {click.event_id}
    assert {each.state for each in told} == {NoticeState.PENDING}
