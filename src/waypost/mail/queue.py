"""The delivery queue over the control database: who may work on what, until when, and what came of it.

A claim is a lease. Whoever holds it renews it; a worker that dies stops renewing, and when the lease ends another
takes the message. SMTP has no exactly-once: if a worker dies after the relay's 250 and before `delivered()` has
committed, the message goes out again, with the same Message-ID and the same bytes. Nothing is done between the two
but that one transaction.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, func, literal, or_, select, text, update
from sqlalchemy.orm import Session

from waypost.db.engine import Database
from waypost.db.outbox import SendEvent, rows
from waypost.db.states import AccountState, DeliveryState, DkimAlgorithm, ProfileState, SendState
from waypost.db.tables import Account, Content, ContentAttachment, Delivery, DkimKey, Profile, Send
from waypost.db.types import UtcDateTime

# Long enough for a stalled disk or a garbage collection, short enough that a restart goes on within the minute.
LEASE_SECONDS = 30
# Others wait for each of these transactions.
_HASTENED_AT_ONCE = 500

# Run for each message, and made once.
_DKIM_KEYS = (
    select(DkimKey)
    .where(
        DkimKey.profile == bindparam("profile"),
        # Publishing it is advice, and a signature whose key nobody finds looks like a fault to some.
        or_(DkimKey.algorithm != DkimAlgorithm.ED25519, DkimKey.seen_at.is_not(None)),
    )
    .order_by(DkimKey.number)
)
_ATTACHMENTS = (
    select(ContentAttachment)
    .where(ContentAttachment.content_id == bindparam("content_id"))
    .order_by(ContentAttachment.position)
)

HELD = "held:"
"""How the reason begins that a message is held for."""
_TO_DO = text("deliveries.state IN ('queued', 'sending')")  # the condition of ix_deliveries_due, with its literals
_ENDED_PROFILES = (
    select(Profile.number)
    .join(Account, Account.number == Profile.account)
    .where(
        or_(
            Profile.deleted_at.is_not(None),
            Profile.state == ProfileState.DISABLED,
            Account.state == AccountState.REJECTED,
        )
    )
)
_NOT_STARTED = (SendState.ACCEPTED, SendState.QUEUED)


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery held by this worker.

    `attempts` counts this one too, so it also tells a worker that lost its lease from the one that has it now.
    """

    delivery_id: int
    send_id: UUID
    attempts: int
    first_attempt_at: datetime
    """Giving up is counted from here."""


@dataclass(frozen=True, slots=True)
class Job:
    """All there is to know of a claimed delivery; the rows are detached copies."""

    claim: Claim
    delivery: Delivery
    send: Send
    profile: Profile
    account: Account
    content: Content | None
    """None once its retention has passed."""
    attachments: Sequence[ContentAttachment] = ()
    dkim_keys: Sequence[DkimKey] = ()

    @property
    def end_reason(self) -> str | None:
        """Why it is never to be sent: nobody can be expected to come back for it. None when it may be, one day."""
        if self.profile.deleted_at is not None:
            return "the sending profile is deleted"
        if self.account.state is AccountState.REJECTED:
            why = self.account.rejected_reason
            return f"the account is rejected ({why})" if why else "the account is rejected"
        if self.profile.state is ProfileState.DISABLED:
            return "the sending profile is disabled: its records were missing for too long"
        return None

    @property
    def hold_reason(self) -> str | None:
        """Why nothing may be sent or encoded for it at present (invariant 9); None when it may."""
        if self.account.state is not AccountState.APPROVED:
            return f"{HELD} the account is {self.account.state}"
        if self.profile.state is not ProfileState.ACTIVE:
            return f"{HELD} the sending profile is {self.profile.state}"
        if not self.dkim_keys:
            # Unsigned, it would speak against the domain wherever DMARC asks for a signature.
            return f"{HELD} the sending profile has no DKIM keys; the core makes them when it starts: restart it"
        return None


@dataclass(frozen=True, slots=True)
class Composed:
    """An attempt has begun: the message is rendered and composed.

    Attributes:
        at: when.
        note: what the sender should know of it, such as that it goes out untracked; None for nothing.
    """

    at: datetime
    note: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """A state that a send reached."""

    state: SendState
    at: datetime
    detail: str = ""


class Queue:
    """The deliveries table; every method is one transaction, and blocks."""

    def __init__(self, database: Database, new_event_id: Callable[[datetime], UUID]) -> None:
        self._database = database
        self._new_event_id = new_event_id

    def claim(self, now: datetime, limit: int, under_way: Collection[int] = ()) -> list[Claim]:
        """Take what is due, the longest due first; nobody else gets it before its lease ends or is given up.

        Args:
            now: aware.
            limit: so many at most.
            under_way: deliveries that the caller has in hand. A machine that stood still, or whose clock was set
                forward, finds their leases ended before it could renew them, and would send them again beside itself.
        """
        is_due = _due(now) if not under_way else and_(_due(now), Delivery.delivery_id.not_in(under_way))
        if not self._any(is_due):
            return []
        due = (
            select(Delivery.delivery_id)
            .where(is_due)
            .order_by(Delivery.next_attempt_at)
            .limit(limit)
            # PostgreSQL: workers pass by each other's rows. SQLite knows no row locks and needs none: one writer.
            .with_for_update(skip_locked=True)
            # A subquery may be run, and lock, more than once; a CTE that locks is run once.
            .cte("due")
        )
        taken = (
            update(Delivery)
            .where(Delivery.delivery_id.in_(select(due.c.delivery_id)))
            .values(
                state=DeliveryState.SENDING,
                attempts=Delivery.attempts + 1,
                first_attempt_at=func.coalesce(Delivery.first_attempt_at, literal(now, UtcDateTime())),
                claimed_until=now + timedelta(seconds=LEASE_SECONDS),
            )
            .returning(Delivery.delivery_id, Delivery.send_id, Delivery.attempts, Delivery.first_attempt_at)
        )
        with self._database.writing() as session:
            claimed = session.execute(taken).all()
        return [Claim(delivery, send, attempts, began_at or now) for delivery, send, attempts, began_at in claimed]

    def renew(self, claims: Sequence[Claim], now: datetime) -> None:
        """Hold these for another lease."""
        if not claims:
            return
        renewed = (
            update(Delivery)
            .where(or_(*map(_held, claims)))
            .values(claimed_until=now + timedelta(seconds=LEASE_SECONDS))
        )
        with self._database.writing() as session:
            session.execute(renewed)

    def job(self, claim: Claim) -> Job:
        """Read what is to be sent, with what it is signed, and whether it may be sent; the content only if it may."""
        query = (
            select(Delivery, Send, Profile, Account)
            .join(Send, Send.send_id == Delivery.send_id)
            .join(Profile, Profile.number == Send.profile)
            .join(Account, Account.number == Send.account)
            .where(Delivery.delivery_id == claim.delivery_id)
        )
        with self._database.reading() as session:
            delivery, send, profile, account = session.execute(query).one()
            keys = session.scalars(_DKIM_KEYS, {"profile": profile.number}).all()
            job = Job(claim, delivery, send, profile, account, None, dkim_keys=keys)
            if job.end_reason or job.hold_reason or send.content_id is None:
                return job
            content = session.get(Content, send.content_id)
            attachments = session.scalars(_ATTACHMENTS, {"content_id": send.content_id}).all()
            return replace(job, content=content, attachments=attachments)

    def delivered(self, claim: Claim, composed: Composed, now: datetime, reply: str) -> None:
        """The relay took the message. Recorded even when the lease was lost meanwhile: it is a fact."""
        unfinished = and_(Delivery.delivery_id == claim.delivery_id, Delivery.state != DeliveryState.DELIVERED)
        with self._database.writing() as session:
            if _settle(session, unfinished, state=DeliveryState.DELIVERED, last_error=None):
                # Until bounces are read, the relay's 250 is all there is to know of delivery.
                steps = [Step(SendState.SENT, now, reply), Step(SendState.DELIVERED, now, reply)]
                self._advance(session, claim, composed, steps, composed.note)

    def failed(self, claim: Claim, composed: Composed | None, step: Step) -> None:
        """It will never be delivered: `step` says since when and why. `composed`: None when it did not come to that."""
        with self._database.writing() as session:
            if _settle(session, _held(claim), state=DeliveryState.FAILED, last_error=step.detail):
                self._advance(session, claim, composed, [step], step.detail)

    def postponed(
        self, claim: Claim, composed: Composed | None, next_attempt_at: datetime, reason: str, *, counted: bool
    ) -> None:
        """It is tried again. `composed` is None when it did not come to that.

        Not `counted`, the attempt tells nothing about the message, and its schedule begins where it would have.
        """
        attempts = claim.attempts if counted else claim.attempts - 1
        later = {"last_error": reason, "next_attempt_at": next_attempt_at, "attempts": attempts}
        with self._database.writing() as session:
            if _settle(session, _held(claim), state=DeliveryState.QUEUED, **later):
                self._advance(session, claim, composed, [], composed.note if composed else None)

    def held(self, claim: Claim, next_look_at: datetime, reason: str) -> None:
        """It may not be sent at present; looking at it was no attempt."""
        with self._database.writing() as session:
            _settle(
                session,
                _held(claim),
                state=DeliveryState.QUEUED,
                last_error=reason,
                next_attempt_at=next_look_at,
                attempts=claim.attempts - 1,
                first_attempt_at=claim.first_attempt_at if claim.attempts > 1 else None,
            )

    def ended_profiles(self) -> frozenset[int]:
        """The numbers of the profiles whose mail is never to be sent; see `Job.end_reason`."""
        with self._database.reading() as session:
            return frozenset(session.scalars(_ENDED_PROFILES))

    def hasten_ends(self, now: datetime) -> None:
        """Have all that waits with such profiles, held or to be tried again, looked at now."""
        waiting = (
            select(Delivery.delivery_id)
            .join(Send, Send.send_id == Delivery.send_id)
            .where(_TO_DO, Delivery.next_attempt_at > now, Send.profile.in_(_ENDED_PROFILES))
        )
        with self._database.reading() as session:
            found = iter(session.scalars(waiting).all())
        while some := list(islice(found, _HASTENED_AT_ONCE)):
            later = and_(Delivery.delivery_id.in_(some), Delivery.next_attempt_at > now)
            with self._database.writing() as session:
                session.execute(update(Delivery).where(later).values(next_attempt_at=now))

    def _any(self, is_due: ColumnElement[bool]) -> bool:
        """Looked at many times a second, so without the write lock."""
        with self._database.reading() as session:
            return session.execute(select(Delivery.delivery_id).where(is_due).limit(1)).first() is not None

    def _advance(
        self, session: Session, claim: Claim, composed: Composed | None, steps: list[Step], error: str | None
    ) -> None:
        whose = Send.send_id == claim.send_id
        state, account, profile = session.execute(select(Send.state, Send.account, Send.profile).where(whose)).one()
        if composed and state in _NOT_STARTED:
            # The first attempt tells that the message was processed; with the outcome, to write but once.
            steps.insert(0, Step(SendState.PROCESSED, composed.at))
        if not steps:
            return
        reached = {"state": steps[-1].state, "modified_at": steps[-1].at, "error": error}
        session.execute(update(Send).where(whose).values(reached))
        # Sorted, so that events of one instant keep their order in the event store.
        event_ids = sorted(self._new_event_id(step.at) for step in steps)
        events = [
            SendEvent(
                event_id=event_id,
                event=step.state,
                occurred_at=step.at,
                account=account,
                profile=profile,
                send_id=claim.send_id,
                detail=step.detail,
            )
            for event_id, step in zip(event_ids, steps, strict=True)
        ]
        session.add_all(rows(events, steps[-1].at))


def _settle(session: Session, whose: ColumnElement[bool], **values: object) -> bool:
    """End the claim; False when it was not ours any more."""
    changed = update(Delivery).where(whose).values(claimed_until=None, **values).returning(Delivery.delivery_id)
    return session.execute(changed).first() is not None


def _due(now: datetime) -> ColumnElement[bool]:
    return and_(
        _TO_DO,
        Delivery.next_attempt_at <= now,
        or_(Delivery.claimed_until.is_(None), Delivery.claimed_until <= now),
    )


def _held(claim: Claim) -> ColumnElement[bool]:
    return and_(
        Delivery.delivery_id == claim.delivery_id,
        Delivery.state == DeliveryState.SENDING,
        Delivery.attempts == claim.attempts,
    )
