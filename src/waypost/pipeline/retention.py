"""Retention: once a day, what is older than its account keeps it goes from both stores, a month at a time.

In rounds between those of the collector: the event store rewrites a month beside its other work, and the control
database is changed a few hundred sends at a time. What a round does it may do again, so a crash costs a round.
docs/adr/0018 has the reasons.
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec.structs import replace
from sqlalchemy import exists, select

from waypost.config.settings import RetentionSettings
from waypost.db import Database
from waypost.db.erasing import AT_ONCE, delete_sends
from waypost.db.states import DeliveryState
from waypost.db.tables import Account, Delivery, RetentionRun, Send
from waypost.pipeline.hold import Hold
from waypost.pipeline.patience import Patience
from waypost.store import EventStore
from waypost.store.retention import EPOCH, Keep, first_send_id

log = logging.getLogger(__name__)

LOCK: Final = "retention"
_LOOK_SECONDS: Final = 1
_IDLE_SECONDS: Final = 60
# Numbers of accounts stand in the text of a query, which ends at 256 KB.
_ACCOUNTS: Final = 5000
# What nobody got yet is still to be sent, however old it is: of a suspended account, for example.
_WAITING: Final = exists().where(
    Delivery.send_id == Send.send_id, Delivery.state.in_((DeliveryState.QUEUED, DeliveryState.SENDING))
)


class Retention:
    """For the pipeline's thread."""

    def __init__(
        self,
        database: Database,
        store: EventStore,
        settings: RetentionSettings,
        held: Hold,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Do nothing yet; `held` holds a name against other processes, `now` is aware, UTC."""
        self._database = database
        self._store = store.retention
        self._settings = settings
        self._held = held
        self._now = now
        self._patience = Patience(monotonic)
        self._look_at: datetime | None = None
        self._rounds: Iterator[Counter[str]] | None = None

    def work(self) -> int:
        """Do one round, if it is time and none goes on; returns how many rounds that was.

        Raises:
            StoreFailed, SQLAlchemyError: the run is gone on with next time.
        """
        now = self._now()
        if self._look_at is not None and now < self._look_at:
            return 0
        self._look_at = now + timedelta(seconds=_LOOK_SECONDS)
        with self._held([LOCK]) as mine:
            return self._step(now) if LOCK in mine else 0

    def _step(self, now: datetime) -> int:
        run = newest_run(self._database)
        if run is not None and run.finished_at is not None and run.started_at.date() >= now.date():
            self._rounds = None
            self._look_at = now + timedelta(seconds=_IDLE_SECONDS)
            return 0
        problem = self._store.going_on()
        if self._patience.is_over(problem):
            self._store.give_up()
            if run is not None:
                self._finish(run, problem or "")
        if problem is not None:
            return 0
        if run is None or run.finished_at is not None:
            run = RetentionRun(started_at=now)
            with self._database.writing() as session:
                session.add(run)
        self._round(run)
        self._look_at = None
        return 1

    def _round(self, run: RetentionRun) -> None:
        rounds = self._rounds if self._rounds is not None else self._all_rounds()
        # One that fails ends its iterator: then all is planned anew, and what is done is not due any more.
        self._rounds = None
        done = next(rounds, None)
        if done is None:
            self._finish(run)
            return
        self._rounds = rounds
        if not any(done.values()):
            return
        with self._database.writing() as session:
            row = session.get_one(RetentionRun, run.number)
            row.counts = dict(Counter(row.counts) + done)

    def _all_rounds(self) -> Iterator[Counter[str]]:
        """Begin one after the other, each when the one before is done; what it is about, in rows."""
        keeps = keeps_of(self._database, self._settings, self._now())
        for keep in keeps:
            for due in self._store.due(keep):
                self._store.clear(keep, due)
                yield Counter(events=due.events, addresses=due.addresses, user_agents=due.user_agents)
        for keep in keeps:
            if keep.events_before == EPOCH:
                continue
            for account in keep.accounts:
                yield from self._delete_sends(account, keep.events_before)
            delivered = self._without_waiting(keep)
            for month in self._store.sends_due(delivered):
                self._store.delete_sends(delivered, month)
                yield Counter(slim_sends=month.sends)

    def _without_waiting(self, keep: Keep) -> Keep:
        """Without accounts that have an old send still to be delivered: a slim record does not say so."""
        old = (Send.account.in_(keep.accounts), Send.send_id <= first_send_id(keep.events_before))
        with self._database.reading() as session:
            held = set(session.scalars(select(Send.account).where(*old, _WAITING).distinct()))
        return replace(keep, accounts=tuple(number for number in keep.accounts if number not in held))

    def _delete_sends(self, account: int, before: datetime) -> Iterator[Counter[str]]:
        """From the control database: those of which no event is kept, and that are not to be delivered any more."""
        after, until = UUID(int=0), first_send_id(before)
        while True:
            old = (
                select(Send.send_id)
                .where(Send.account == account, Send.send_id > after, Send.send_id <= until, ~_WAITING)
                .order_by(Send.send_id)
                .limit(AT_ONCE)
            )
            with self._database.reading() as session:
                found = session.scalars(old).all()
            counts: Counter[str] = Counter()
            if gone := set(found) - self._store.with_events(account, found, before):
                with self._database.writing() as session:
                    counts, _ = delete_sends(session, gone)
            yield counts
            if len(found) < AT_ONCE:
                return
            after = found[-1]

    def _finish(self, run: RetentionRun, problem: str = "") -> None:
        self._rounds = None
        with self._database.writing() as session:
            row = session.get_one(RetentionRun, run.number)
            row.finished_at, row.problem = self._now(), problem
        if problem:
            log.error("retention is given up for today: %s", problem)
        elif any(row.counts.values()):
            log.info("retention is done: %s", row.counts)


def newest_run(database: Database) -> RetentionRun | None:
    """The run that goes on, or else the last one."""
    with database.reading() as session:
        return session.scalars(select(RetentionRun).order_by(RetentionRun.number.desc()).limit(1)).one_or_none()


def keeps_of(database: Database, settings: RetentionSettings, now: datetime) -> list[Keep]:
    """What all accounts keep, those that keep alike together; whole days, so that a day's runs agree."""
    alike: defaultdict[Keep, list[int]] = defaultdict(list)
    said = select(Account.number, Account.event_days, Account.address_days, Account.user_agent_days)
    with database.reading() as session:
        for number, *days in session.execute(said.order_by(Account.number)):
            alike[keep_of((), settings, days, now)].append(number)
    return [
        replace(keep, accounts=tuple(numbers[at : at + _ACCOUNTS]))
        for keep, numbers in alike.items()
        for at in range(0, len(numbers), _ACCOUNTS)
    ]


def keep_of(accounts: tuple[int, ...], settings: RetentionSettings, days: Sequence[int | None], now: datetime) -> Keep:
    """What is kept of accounts whose own days, of events, addresses and user agents, are these."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    defaults = (settings.event_days, settings.address_days, settings.user_agent_days)
    held = (default if own is None else own for own, default in zip(days, defaults, strict=True))
    return Keep(accounts, *(today - timedelta(days=each) if each else EPOCH for each in held))
