"""What the core's metrics say of a control database, on both kinds."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import SQLAlchemyError

from waypost.control.verification.findings import Verdict
from waypost.core.metrics import CoreCounts, render
from waypost.db.states import AccountState, AttemptOutcome, DeliveryState, OutboxTopic, ProfileState, SendState
from waypost.db.tables import Account, Delivery, Outbox, Profile, ProfileCheck, RetentionRun, Send
from waypost.mail.deliver import UNTRACKED, Outcome
from waypost.pipeline.counts import Count

NOW = datetime(2026, 3, 29, 1, 30, 15, tzinfo=UTC)
AGO = NOW - timedelta(seconds=90)
LATER = NOW + timedelta(hours=1)
TIMES = {"created_at": AGO, "modified_at": AGO}


def scraped(database, counts=None):
    text = render(database, counts or CoreCounts(), NOW).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def fill(database):
    with database.writing() as session:
        for number, state in enumerate([AccountState.APPROVED, AccountState.APPROVED, AccountState.PENDING]):
            row = Account(public_id=UUID(int=number), name="n", email=f"{number}@shop.example", state=state, **TIMES)
            session.add(row)
        session.flush()
        for number, (state, deleted_at, due) in enumerate(
            [
                (ProfileState.ACTIVE, None, LATER),
                (ProfileState.ACTIVE, None, NOW - timedelta(seconds=30)),
                (ProfileState.PENDING, None, NOW - timedelta(seconds=60)),
                (ProfileState.DISABLED, NOW, None),
            ],
            1,
        ):
            profile = Profile(
                public_id=UUID(int=number),
                account=1,
                profile_name="p",
                sending_domain="shop.example",
                link_domain="links.shop.example",
                state=state,
                deleted_at=deleted_at,
                **TIMES,
            )
            session.add(profile)
            session.flush()
            if due is not None:
                claimed = LATER if number == 3 else None  # somebody looks at it just now
                session.add(ProfileCheck(profile=number, watched_from=AGO, next_check_at=due, claimed_until=claimed))
        for number, (state, last_error, due) in enumerate(
            [
                (DeliveryState.QUEUED, None, AGO),
                (DeliveryState.QUEUED, "450 later", LATER),
                (DeliveryState.QUEUED, "held: the account is suspended", LATER),
                (DeliveryState.QUEUED, "held: the sending profile is pending", LATER),
                (DeliveryState.SENDING, None, NOW),
                (DeliveryState.DELIVERED, None, AGO - timedelta(days=1)),
                (DeliveryState.FAILED, "550 no", AGO - timedelta(days=1)),
            ]
        ):
            send_id = UUID(int=number)
            send = Send(
                send_id=send_id,
                send_key=f"{number:027}",
                account=1,
                profile=1,
                content_id=None,
                from_email_address="a@shop.example",
                recipient_email_address="b@inbox.example",
                state=SendState.QUEUED,
                **TIMES,
            )
            session.add(send)
            session.flush()
            session.add(
                Delivery(send_id=send_id, state=state, last_error=last_error, next_attempt_at=due, created_at=AGO)
            )
        session.add(Outbox(topic=OutboxTopic.SEND, payload={}, created_at=NOW - timedelta(seconds=7)))


def test_they_tell_what_waits_and_in_what_state_things_are(database):
    fill(database)

    found = scraped(database)

    waiting = {state: found["waypost_mail_waiting", state] for state in ("new", "retry", "held", "sending")}
    assert waiting == {"new": 1, "retry": 1, "held": 2, "sending": 1}
    assert found["waypost_mail_oldest_due_age_seconds",] == 90
    assert [found["waypost_profiles", state] for state in ("creating", "pending", "active", "disabled")] == [0, 1, 2, 0]
    assert [found["waypost_accounts", state] for state in ("pending", "approved", "suspended")] == [1, 2, 0]
    assert found["waypost_profile_checks_oldest_due_age_seconds",] == 30
    assert found["waypost_outbox_oldest_age_seconds",] == 7


def test_they_tell_what_the_parts_have_counted(database):
    counts = CoreCounts()
    counts.mail.update({Outcome.DELIVERED: 5, Outcome.REJECTED: 2, UNTRACKED: 1})
    counts.checks.update({Verdict.LOST: 3, "failed": 1})
    counts.pipeline.add(Count.STORED, 9)
    counts.webhooks.noted(4)
    counts.webhooks.attempted(AttemptOutcome.TIMEOUT)
    counts.webhooks.disabled()

    found = scraped(database, counts)

    assert found["waypost_mail_attempts_total", "delivered"] == 5
    assert found["waypost_mail_attempts_total", "rejected"] == 2
    assert found["waypost_mail_attempts_total", "bounced"] == 0
    assert found["waypost_mail_untracked_total",] == 1
    assert found["waypost_profile_checks_total", "lost"] == 3
    assert found["waypost_profile_checks_total", "failed"] == 1
    assert found["waypost_profile_checks_total", "right"] == 0
    assert found["waypost_pipeline_total", "stored"] == 9
    assert found["waypost_webhook_messages_total",] == 4
    assert found["waypost_webhook_attempts_total", "timeout"] == 1
    assert found["waypost_webhook_attempts_total", "delivered"] == 0
    assert found["waypost_webhook_endpoints_given_up_total",] == 1


def test_of_an_empty_install_everything_is_there_and_zero(database):
    found = scraped(database)

    del found["waypost_core_build_info", next(name[1] for name in found if name[0] == "waypost_core_build_info")]
    assert set(found.values()) == {0.0}


def test_a_database_that_cannot_be_read_is_an_error_and_no_half_answer(database):
    with database.writing() as session:
        Outbox.__table__.drop(session.connection())

    with pytest.raises(SQLAlchemyError):
        render(database, CoreCounts(), NOW)


def test_how_long_ago_retention_came_to_an_end_and_what_it_let_go(database):
    def runs(*several):
        with database.writing() as session:
            session.add_all(several)
        found = scraped(database)
        rows = {labels[0]: value for (name, *labels), value in found.items() if name == "waypost_retention_rows"}
        return found["waypost_retention_age_seconds",], rows

    assert runs() == (0, {})
    at = NOW - timedelta(days=2)
    assert runs(RetentionRun(started_at=at)) == (2 * 86_400, {})
    ended = RetentionRun(started_at=at, finished_at=at + timedelta(days=1), counts={"addresses": 7, "events": 0})
    assert runs(ended) == (86_400, {"addresses": 7, "events": 0})
    assert runs(RetentionRun(started_at=NOW, finished_at=NOW, problem="no room")) == (86_400, {})
