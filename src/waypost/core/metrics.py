"""The core's metrics in Prometheus' text format: what its parts count, and what stands in the control database."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import case, func, or_, select, text
from sqlalchemy.orm import Session

from waypost import __version__
from waypost.control.verification.findings import Verdict
from waypost.control.verification.process import FAILED
from waypost.db import Database
from waypost.db.states import AccountState, DeliveryState, ProfileState
from waypost.db.tables import Account, Delivery, Outbox, Profile, ProfileCheck, RetentionRun
from waypost.mail.deliver import UNTRACKED, Outcome
from waypost.mail.queue import HELD
from waypost.pipeline.counts import Counts
from waypost.webhooks.counts import Counts as WebhookCounts
from waypost.webhooks.queue import Figures, figures

_TO_DO = text("state IN ('queued', 'sending')")  # the condition of ix_deliveries_due
_WAITING = {
    "sending": Delivery.state == DeliveryState.SENDING,
    "held": Delivery.last_error.startswith(HELD),
    "retry": Delivery.last_error.is_not(None),
}
_NEW = "new"


@dataclass(frozen=True, slots=True)
class CoreCounts:
    """What the parts of a core process raise."""

    mail: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    pipeline: Counts = field(default_factory=Counts)
    webhooks: WebhookCounts = field(default_factory=WebhookCounts)


def render(database: Database, counts: CoreCounts, now: datetime) -> bytes:
    """Everything there is to scrape.

    Reads the control database; what waits for delivery is counted one by one, a second for a million.

    Raises:
        SQLAlchemyError: the database cannot be read.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Taken(database, counts, now))
    return generate_latest(registry)


class _Taken(Collector):
    def __init__(self, database: Database, counts: CoreCounts, now: datetime) -> None:
        self._database = database
        self._counts = counts
        self._now = now

    def collect(self) -> Iterable[Metric]:
        info = GaugeMetricFamily("waypost_core_build_info", "The release of the core.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        yield from _counted(self._counts)
        with self._database.reading() as session:
            yield from _mail(session, self._now)
            yield from _accounts_and_profiles(session, self._now)
            yield from _outbox(session, self._now)
            yield from _retention(session, self._now)
            yield from _webhooks(figures(session, self._now), self._now)


def _counted(counts: CoreCounts) -> Iterator[Metric]:
    attempts = CounterMetricFamily("waypost_mail_attempts", "Messages taken up, by outcome.", labels=["outcome"])
    for outcome in Outcome:
        attempts.add_metric([outcome], counts.mail[outcome])
    untracked = "Messages that went out untracked because rewriting failed."
    checks = CounterMetricFamily("waypost_profile_checks", "Checks of sending profiles, by result.", labels=["result"])
    for result in (*Verdict, FAILED):
        checks.add_metric([result], counts.checks[result])
    pipeline = CounterMetricFamily("waypost_pipeline", "What was taken into the event store.", labels=["what"])
    for what, count in counts.pipeline.snapshot().items():
        pipeline.add_metric([what], count)
    yield from (attempts, checks, pipeline)
    yield CounterMetricFamily("waypost_mail_untracked", untracked, counts.mail[UNTRACKED])
    yield CounterMetricFamily("waypost_webhook_messages", "Noted for an endpoint.", counts.webhooks.notices)
    told = CounterMetricFamily("waypost_webhook_attempts", "Attempts, by what came of them.", labels=["outcome"])
    for came_to, count in counts.webhooks.attempts.items():
        told.add_metric([came_to], count)
    yield told
    given_up = "Endpoints disabled because of 410 or five failing days."
    yield CounterMetricFamily("waypost_webhook_endpoints_given_up", given_up, counts.webhooks.endpoints_disabled)


def _mail(session: Session, now: datetime) -> Iterator[Metric]:
    state = case(*((condition, name) for name, condition in _WAITING.items()), else_=_NEW)
    waiting = select(state, func.count()).where(_TO_DO).group_by(state)
    yield _by_state(
        session.execute(waiting).all(),
        (_NEW, *_WAITING),
        "waypost_mail_waiting",
        "Messages not delivered or ended yet.",
    )
    due = session.scalars(select(func.min(Delivery.next_attempt_at)).where(_TO_DO)).one()
    yield GaugeMetricFamily("waypost_mail_oldest_due_age_seconds", "How long the oldest due one waits.", _age(due, now))


def _accounts_and_profiles(session: Session, now: datetime) -> Iterator[Metric]:
    accounts = select(Account.state, func.count()).group_by(Account.state)
    yield _by_state(session.execute(accounts).all(), AccountState, "waypost_accounts", "Accounts.")
    profiles = select(Profile.state, func.count()).where(Profile.deleted_at.is_(None)).group_by(Profile.state)
    yield _by_state(
        session.execute(profiles).all(), ProfileState, "waypost_profiles", "Sending profiles, deleted ones left out."
    )
    unclaimed = or_(ProfileCheck.claimed_until.is_(None), ProfileCheck.claimed_until <= now)
    due = session.scalars(select(func.min(ProfileCheck.next_check_at)).where(unclaimed)).one()
    yield GaugeMetricFamily(
        "waypost_profile_checks_oldest_due_age_seconds", "How long the oldest due check waits.", _age(due, now)
    )


def _by_state(counted: Iterable[tuple[str, int]], states: Iterable[str], name: str, meaning: str) -> GaugeMetricFamily:
    """One series for each state, also for those that nothing is in."""
    found = dict(counted)
    family = GaugeMetricFamily(name, meaning, labels=["state"])
    for state in states:
        family.add_metric([state], found.get(state, 0))
    return family


def _outbox(session: Session, now: datetime) -> Iterator[Metric]:
    oldest = session.scalars(select(Outbox.created_at).order_by(Outbox.outbox_id).limit(1)).one_or_none()
    yield GaugeMetricFamily(
        "waypost_outbox_oldest_age_seconds", "How long the oldest fact waits for the event store.", _age(oldest, now)
    )


def _retention(session: Session, now: datetime) -> Iterator[Metric]:
    succeeded = select(func.max(RetentionRun.finished_at)).where(RetentionRun.problem == "")
    since = session.scalars(succeeded).one() or session.scalars(select(func.min(RetentionRun.started_at))).one()
    yield GaugeMetricFamily(
        "waypost_retention_age_seconds",
        "Since the last run of retention that came to its end, or since the first began when none did.",
        _age(since, now),
    )
    newest = session.scalars(select(RetentionRun).order_by(RetentionRun.number.desc()).limit(1)).one_or_none()
    rows = GaugeMetricFamily("waypost_retention_rows", "What the newest run let go, by what.", labels=["what"])
    for what, count in sorted(newest.counts.items()) if newest else ():
        rows.add_metric([what], count)
    yield rows


def _webhooks(queue: Figures, now: datetime) -> Iterator[Metric]:
    yield GaugeMetricFamily("waypost_webhook_endpoints_disabled", "At present.", queue.endpoints_disabled)
    yield GaugeMetricFamily(
        "waypost_webhook_oldest_due_age_seconds",
        "How long the oldest due message waits.",
        _age(queue.oldest_due_at, now),
    )


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
