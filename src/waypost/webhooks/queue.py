"""The notices as a queue over the control database: who may work on what, until when, and what came of it.

A claim is a lease. A worker that dies leaves it to end, and another takes the message, with the same `webhook-id`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, or_, select, text, update
from sqlalchemy.orm import Session

from waypost.db.engine import Database
from waypost.db.states import AccountState, AttemptOutcome, EndpointState, NoticeState
from waypost.db.tables import Account, WebhookAttempt, WebhookEndpoint, WebhookNotice
from waypost.events.notice import NoticeType
from waypost.webhooks.schedule import is_given_up
from waypost.webhooks.sender import Answer

LEASE_SECONDS: Final = 120
"""Not renewed: a turn ends long before, by the time of its attempts and the event store's."""
TURN_MESSAGES: Final = 16
"""For each request of a turn. They are read together, which costs about as much as reading one; and a turn of answers
that just pass for quick ends within half a lease."""
# Written down to the minute: a busy endpoint's row would be written at every message.
_SUCCESS_NOTED: Final = timedelta(minutes=1)
# In one transaction of housekeeping.
_DELETED: Final = 5000
REPLAYED_MAX: Final = 5000
"""At once: on SQLite others wait for that transaction."""

GONE: Final = "it answered 410 Gone: no more is sent to it"
GIVEN_UP: Final = "it took nothing for five days"


@dataclass(frozen=True, slots=True)
class Claim:
    """A notice held by this worker, with its endpoint; both are detached copies.

    `notice.attempts` counts this attempt too, so it tells a worker that lost its lease from the one that has it.
    """

    notice: WebhookNotice
    endpoint: WebhookEndpoint


@dataclass(frozen=True, slots=True)
class Turn:
    """What one endpoint is told now.

    Attributes:
        endpoint: its number.
        claims: in the order they were due.
        requests: so many of them at once.
    """

    endpoint: int
    claims: Sequence[Claim]
    requests: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One that was made.

    Attributes:
        started_at: aware, UTC.
        duration_ms: until its end.
        answer: what came of it.
    """

    started_at: datetime
    duration_ms: int
    answer: Answer

    @property
    def ended_at(self) -> datetime:
        """When it was over."""
        return self.started_at + timedelta(milliseconds=self.duration_ms)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the queue looks like.

    Attributes:
        oldest_due_at: of what waits for a worker; None when nothing does.
        endpoints_disabled: at present.
    """

    oldest_due_at: datetime | None
    endpoints_disabled: int


class Queue:
    """The notices table; every method is one transaction, and blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, now: datetime, limit: int, room: Callable[[WebhookEndpoint], int]) -> list[Turn]:
        """Take what is due.

        Args:
            now: aware.
            limit: requests that may begin.
            room: how many more an endpoint may have under way.
        """
        with self._database.reading() as session:
            due = [each for each in session.scalars(_endpoints_due(now)) if room(each) > 0]
        if not due:
            return []
        turns: list[Turn] = []
        with self._database.writing() as session:
            # Who comes last this time is not last for ever: the order is random.
            for endpoint in due:
                requests = min(room(endpoint), limit)
                if requests == 0:
                    break
                # One alone is to show first how the endpoint is.
                most = requests * TURN_MESSAGES if requests > 1 else 1
                claims = [Claim(notice, endpoint) for notice in _take(session, endpoint.number, now, most)]
                turns.append(Turn(endpoint.number, claims, min(requests, len(claims))))
                limit -= turns[-1].requests
        return turns

    def delivered(self, made: Sequence[tuple[Claim, Attempt]]) -> None:
        """Receivers took these. Recorded even when the lease was lost meanwhile: it is a fact."""
        ended_at = {claim.endpoint.number: attempt.ended_at for claim, attempt in made}
        with self._database.writing() as session:
            settled = _settle(
                session,
                WebhookNotice.number.in_([claim.notice.number for claim, _ in made]),
                state=NoticeState.DELIVERED,
            )
            session.add_all(_row(claim, attempt) for claim, attempt in made if claim.notice.number in settled)
            # In order, for others may do the same with them in another process.
            for endpoint, at in sorted(ended_at.items()):
                news = or_(
                    WebhookEndpoint.failing_since.is_not(None),
                    WebhookEndpoint.succeeded_at.is_(None),
                    WebhookEndpoint.succeeded_at < at - _SUCCESS_NOTED,
                )
                session.execute(
                    update(WebhookEndpoint)
                    .where(WebhookEndpoint.number == endpoint, news)
                    .values(failing_since=None, succeeded_at=at)
                )

    def failed(self, claim: Claim, attempt: Attempt, next_attempt_at: datetime | None) -> str | None:
        """It did not. Returns why the endpoint is disabled from now on, if it is.

        Args:
            claim: which ends.
            attempt: that failed.
            next_attempt_at: None: it is not tried again.
        """
        state = NoticeState.FAILED if next_attempt_at is None else NoticeState.PENDING
        later = {} if next_attempt_at is None else {"next_attempt_at": next_attempt_at}
        with self._database.writing() as session:
            if not _settle(session, _held(claim), state=state, **later):
                return None
            session.add(_row(claim, attempt))
            if attempt.answer.outcome is AttemptOutcome.MISSING:
                return None  # the endpoint has no part in it
            return _failing(session, claim.endpoint.number, attempt)

    def put_back(self, claims: Sequence[Claim], next_attempt_at: datetime) -> None:
        """They were not tried: that was no attempt."""
        back = (
            update(WebhookNotice)
            .where(or_(*map(_held, claims)))
            .values(claimed_until=None, next_attempt_at=next_attempt_at, attempts=WebhookNotice.attempts - 1)
        )
        with self._database.writing() as session:
            session.execute(back, execution_options={"synchronize_session": False})

    def clean(self, before: datetime) -> int:
        """Delete a batch of what happened before, unless it is still to be told; returns how many notices are gone."""
        told = select(WebhookEndpoint.number).where(_TOLD)
        old = (
            select(WebhookNotice.number)
            .where(
                WebhookNotice.occurred_at < before,
                or_(WebhookNotice.state != NoticeState.PENDING, WebhookNotice.endpoint.not_in(told)),
            )
            .limit(_DELETED)
        )
        with self._database.writing() as session:
            numbers = session.scalars(old).all()
            session.execute(delete(WebhookNotice).where(WebhookNotice.number.in_(numbers)))
        return len(numbers)


def figures(session: Session, now: datetime) -> Figures:
    """For metrics."""
    disabled = select(func.count()).where(WebhookEndpoint.state == EndpointState.DISABLED)
    told = select(WebhookEndpoint.number).where(_TOLD)
    oldest = select(func.min(WebhookNotice.next_attempt_at)).where(
        _PENDING, WebhookNotice.endpoint.in_(told), WebhookNotice.next_attempt_at <= now
    )
    return Figures(session.scalar(oldest), session.scalar(disabled) or 0)


def test_notice(endpoint: WebhookEndpoint, message_id: UUID, now: datetime) -> WebhookNotice:
    """A test, due at once: add it to a session."""
    return WebhookNotice(
        endpoint=endpoint.number,
        message_id=message_id,
        type=NoticeType.TEST,
        event_id=message_id,
        occurred_at=now,
        next_attempt_at=now,
        created_at=now,
    )


def replay(session: Session, number: int, now: datetime) -> bool:
    """Make a message due again, with all its retries; False when it is on its way as it is."""
    return bool(_again(session, and_(WebhookNotice.number == number, WebhookNotice.state != NoticeState.PENDING), now))


def replay_failed(session: Session, endpoint: int, first: datetime, end: datetime, now: datetime) -> int:
    """Make due again what was given up, of what happened from `first` until before `end`, in the order it was noted.

    Returns how many messages those are, `REPLAYED_MAX` at most: others wait for it meanwhile.
    """
    failed = (
        select(WebhookNotice.number)
        .where(
            WebhookNotice.endpoint == endpoint,
            WebhookNotice.state == NoticeState.FAILED,
            WebhookNotice.occurred_at >= first,
            WebhookNotice.occurred_at < end,
        )
        .order_by(WebhookNotice.number)
        .limit(REPLAYED_MAX)
    )
    return _again(session, WebhookNotice.number.in_(failed), now)


def _again(session: Session, which: ColumnElement[bool], now: datetime) -> int:
    again = (
        update(WebhookNotice)
        .where(which)
        .values(state=NoticeState.PENDING, attempts=0, next_attempt_at=now, claimed_until=None)
        .returning(WebhookNotice.number)
    )
    return len(session.execute(again, execution_options={"synchronize_session": False}).all())


# Nothing is sent for an account that is not approved, webhooks no more than mail: what is noted waits.
_TOLD: Final = and_(
    WebhookEndpoint.state == EndpointState.ENABLED,
    exists().where(Account.number == WebhookEndpoint.account, Account.state == AccountState.APPROVED),
)
# Word for word the condition of ix_webhook_notices_due.
_PENDING: Final = text("webhook_notices.state = 'pending'")


def _due(now: datetime) -> ColumnElement[bool]:
    return and_(
        _PENDING,
        WebhookNotice.next_attempt_at <= now,
        or_(WebhookNotice.claimed_until.is_(None), WebhookNotice.claimed_until <= now),
    )


def _endpoints_due(now: datetime) -> Select[WebhookEndpoint]:
    """One look into the index for each endpoint, however much waits for one of them."""
    waiting = exists().where(WebhookNotice.endpoint == WebhookEndpoint.number, _due(now))
    return select(WebhookEndpoint).where(_TOLD, waiting).order_by(func.random())


def _take(session: Session, endpoint: int, now: datetime, limit: int) -> Sequence[WebhookNotice]:
    due = (
        select(WebhookNotice.number)
        .where(WebhookNotice.endpoint == endpoint, _due(now))
        .order_by(WebhookNotice.next_attempt_at)
        .limit(limit)
        # PostgreSQL: workers pass by each other's rows. SQLite knows no row locks and needs none: one writer.
        .with_for_update(skip_locked=True)
        # A subquery may be run, and lock, more than once; a CTE that locks is run once.
        .cte("due")
    )
    taken = (
        update(WebhookNotice)
        .where(WebhookNotice.number.in_(select(due.c.number)))
        .values(
            attempts=WebhookNotice.attempts + 1,
            claimed_until=now + timedelta(seconds=LEASE_SECONDS),
            # Whoever waited for a verdict until now goes without.
            awaits_verdict=False,
        )
        .returning(WebhookNotice)
    )
    return session.scalars(taken, execution_options={"synchronize_session": False}).all()


def _held(claim: Claim) -> ColumnElement[bool]:
    return and_(
        WebhookNotice.number == claim.notice.number,
        WebhookNotice.state == NoticeState.PENDING,
        WebhookNotice.attempts == claim.notice.attempts,
    )


def _settle(session: Session, whose: ColumnElement[bool], **values: object) -> Collection[int]:
    """End claims. The numbers of those that are there: a claim may not be ours any more, an endpoint may be deleted."""
    changed = update(WebhookNotice).where(whose).values(claimed_until=None, **values).returning(WebhookNotice.number)
    return frozenset(session.scalars(changed, execution_options={"synchronize_session": False}))


def _row(claim: Claim, attempt: Attempt) -> WebhookAttempt:
    return WebhookAttempt(
        notice=claim.notice.number,
        started_at=attempt.started_at,
        duration_ms=attempt.duration_ms,
        outcome=attempt.answer.outcome,
        status=attempt.answer.status,
        error=attempt.answer.error,
        answer=attempt.answer.body,
    )


def _failing(session: Session, number: int, attempt: Attempt) -> str | None:
    endpoint = session.get(WebhookEndpoint, number, with_for_update=True)
    if endpoint is None or endpoint.state is EndpointState.DISABLED:
        return None
    now = attempt.ended_at
    if endpoint.failing_since is None:
        endpoint.failing_since = now
    gone = attempt.answer.outcome is AttemptOutcome.GONE
    if not gone and not is_given_up(now, endpoint.failing_since):
        if not _waits(session, number):  # until there is something again, nobody knows how it is
            endpoint.failing_since = None
        return None
    endpoint.state, endpoint.disabled_at = EndpointState.DISABLED, now
    endpoint.disabled_reason = GONE if gone else GIVEN_UP
    return endpoint.disabled_reason


def _waits(session: Session, endpoint: int) -> bool:
    """Whether anything is still to be sent to it."""
    waiting = select(WebhookNotice.number).where(WebhookNotice.endpoint == endpoint, _PENDING).limit(1)
    return session.execute(waiting).first() is not None
