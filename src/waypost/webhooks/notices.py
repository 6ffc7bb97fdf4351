"""Notes what endpoints are to be told, exactly once for each event and endpoint (docs/adr/0016-webhooks.md).

The pipeline calls this once an event is stored and before it lets go of the segment or the outbox row it came from.
Killed in between, it comes again with the same events, and those noted already stay as they are.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self, TypeVar
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from waypost.config.settings import Settings
from waypost.db.engine import Database
from waypost.db.insert import insert_absent
from waypost.db.states import EndpointState, NoticeState, WebhookFormat, WebhookTiming
from waypost.db.tables import Send, WebhookEndpoint, WebhookNotice
from waypost.events.notice import BY_READERS, NoticeType, Occurrence
from waypost.events.reclassified import Reclassified
from waypost.webhooks.counts import Counts

LEARN_SECONDS: Final = 2.0
"""What happens sooner after an endpoint was made, or changed, may not be told."""
VERDICT_WAIT_MAX: Final = timedelta(minutes=5)
"""How long an endpoint that waits for the verdict waits at most: it is final two minutes after the end of a burst."""
# The fewest days of events that an account can keep; a younger send need not be looked for.
_SENDS_KEPT: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Of a UUIDv7 (RFC 9562, section 5.7): its first 48 bits are milliseconds.
_BELOW_TIME: Final = 80
# One transaction: short, because mail and the API write meanwhile.
_BATCH: Final = 1000

_Item = TypeVar("_Item")
_Told = TypeVar("_Told", Occurrence, Reclassified)

_log = logging.getLogger(__name__)


class Notices:
    """Writes notices. Safe to call from any thread.

    Args:
        database: the control database.
        counts: raised.
        now: aware, UTC.
        keep: the setting `webhooks.keep_days`: what happened before is neither kept nor noted.
        monotonic: seconds.
    """

    def __init__(
        self,
        database: Database,
        counts: Counts,
        *,
        now: Callable[[], datetime],
        keep: timedelta,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._counts = counts
        self._now = now
        self._keep = keep
        self._monotonic = monotonic
        self._accounts: frozenset[int] = frozenset()
        self._learned_at = float("-inf")

    @classmethod
    def open(cls, settings: Settings, database: Database, counts: Counts | None = None) -> Self:
        """Those of an install, by its clock."""
        keep = timedelta(days=settings.webhooks.keep_days)
        return cls(database, counts or Counts(), now=lambda: datetime.now(UTC), keep=keep)

    def accounts(self) -> frozenset[int]:
        """Whose events to hand over: no others have endpoints. Costs nothing most of the time.

        Raises:
            SQLAlchemyError: at the first call, when the database cannot be asked. Later the last answer holds: while
                the database is away nobody makes an endpoint.
        """
        now = self._monotonic()
        if now - self._learned_at >= LEARN_SECONDS:
            enabled = select(WebhookEndpoint.account).where(WebhookEndpoint.state == EndpointState.ENABLED).distinct()
            try:
                with self._database.reading() as session:
                    self._accounts = frozenset(session.scalars(enabled))
            except SQLAlchemyError:
                if self._learned_at == float("-inf"):
                    raise
                _log.exception("who has webhook endpoints could not be read; it is what it was")
            self._learned_at = now
        return self._accounts

    def occurred(self, occurrences: Sequence[Occurrence]) -> int:
        """Note events for every endpoint that is told of them; returns how many notices are new.

        Raises:
            SQLAlchemyError: some may be noted; hand all of them over again.
        """
        return sum(self._write(batch, _event_row) for batch in _batches(self._recent(occurrences)))

    def reclassified(self, changes: Sequence[Reclassified]) -> int:
        """Note changes of verdicts; returns how many notices are new.

        An endpoint that has not been told of the event yet needs no word about the change: it is told of both at once.

        Raises:
            SQLAlchemyError: some may be noted; hand all of them over again.
        """
        return sum(self._write(batch, _change_row) for batch in _batches(self._recent(changes)))

    def settled(self, events: Iterable[tuple[int, UUID]]) -> None:
        """Let go what waits for these events' verdicts, which are final and stored.

        Args:
            events: each with its account.

        Raises:
            SQLAlchemyError: what still waits does so for `VERDICT_WAIT_MAX`.
        """
        accounts = self.accounts()
        wanted = [event_id for account, event_id in events if account in accounts]
        for batch in _batches(wanted):
            waiting = (
                update(WebhookNotice)
                .where(
                    WebhookNotice.event_id.in_(batch),
                    WebhookNotice.awaits_verdict,
                    WebhookNotice.state == NoticeState.PENDING,
                )
                .values(awaits_verdict=False, next_attempt_at=self._now())
            )
            with self._database.writing() as session:
                session.execute(waiting)

    def _recent(self, told: Sequence[_Told]) -> list[_Told]:
        """What is of accounts with endpoints, and young enough to be kept."""
        accounts, oldest = self.accounts(), self._now() - self._keep
        return [
            each for each in told if _occurrence(each).account in accounts and _occurrence(each).occurred_at >= oldest
        ]

    def _write(
        self, batch: Sequence[_Told], row: Callable[[WebhookEndpoint, _Told, datetime], dict[str, Any] | None]
    ) -> int:
        now = self._now()
        with self._database.writing() as session:
            endpoints = _endpoints(session, {_occurrence(each).account for each in batch})
            untold = _untold(session, [each for each in batch if isinstance(each, Reclassified)])
            gone = _gone(session, {_occurrence(each).send_id for each in batch}, now)
            rows = [
                values
                for each in batch
                if _occurrence(each).send_id not in gone
                for endpoint in endpoints.get(_occurrence(each).account, ())
                if (endpoint.number, _occurrence(each).event_id) not in untold
                and (values := row(endpoint, each, now)) is not None
            ]
            new = _insert(session, rows) if rows else 0
        self._counts.noted(new)
        return new


def _occurrence(each: Occurrence | Reclassified) -> Occurrence:
    return each if isinstance(each, Occurrence) else each.occurrence


def _batches(items: Sequence[_Item]) -> Iterable[Sequence[_Item]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


def _endpoints(session: Session, accounts: set[int]) -> Mapping[int, Sequence[WebhookEndpoint]]:
    """The enabled ones by account, held until the transaction ends: one that is deleted meanwhile takes no notices."""
    enabled = (
        select(WebhookEndpoint)
        .where(WebhookEndpoint.account.in_(accounts), WebhookEndpoint.state == EndpointState.ENABLED)
        .order_by(WebhookEndpoint.number)
        .with_for_update(read=True, key_share=True)
    )
    found: defaultdict[int, list[WebhookEndpoint]] = defaultdict(list)
    for endpoint in session.scalars(enabled):
        found[endpoint.account].append(endpoint)
    return found


def _untold(session: Session, changes: Sequence[Reclassified]) -> frozenset[tuple[int, UUID]]:
    """Endpoints and events whose first message is still to go out: it will have the new verdict."""
    if not changes:
        return frozenset()
    pending = select(WebhookNotice.endpoint, WebhookNotice.event_id).where(
        WebhookNotice.event_id.in_([each.occurrence.event_id for each in changes]),
        WebhookNotice.type != NoticeType.CLICK_RECLASSIFIED,
        WebhookNotice.state == NoticeState.PENDING,
        WebhookNotice.attempts == 0,
        WebhookNotice.awaits_verdict,
    )
    return frozenset((endpoint, event_id) for endpoint, event_id in session.execute(pending))


def _gone(session: Session, send_ids: Collection[UUID], now: datetime) -> Collection[UUID]:
    """Sends that retention has deleted: a link in one goes on working, and whose click that was nobody can say."""
    made_before = (now - _SENDS_KEPT - _EPOCH) // timedelta(milliseconds=1)
    old = {send_id for send_id in send_ids if send_id.int >> _BELOW_TIME < made_before}
    return old.difference(session.scalars(select(Send.send_id).where(Send.send_id.in_(old)))) if old else old


def _event_row(endpoint: WebhookEndpoint, event: Occurrence, now: datetime) -> dict[str, Any] | None:
    if event.type not in endpoint.events or event.occurred_at < endpoint.created_at:
        return None
    waits = endpoint.timing is WebhookTiming.AFTER_VERDICT and event.type in BY_READERS
    return {
        **_row(endpoint, event, now),
        "message_id": event.event_id,
        "type": event.type,
        "awaits_verdict": waits,
        "next_attempt_at": now + VERDICT_WAIT_MAX if waits else now,
    }


def _change_row(endpoint: WebhookEndpoint, change: Reclassified, now: datetime) -> dict[str, Any] | None:
    event = change.occurrence
    if (
        event.type is not NoticeType.CLICK
        or NoticeType.CLICK_RECLASSIFIED not in endpoint.events
        or event.occurred_at < endpoint.created_at
        or endpoint.format is not WebhookFormat.WAYPOST
    ):
        return None
    return {
        **_row(endpoint, event, now),
        "message_id": change.message_id,
        "type": NoticeType.CLICK_RECLASSIFIED,
        "change": change.told,
        "next_attempt_at": now,
    }


def _row(endpoint: WebhookEndpoint, event: Occurrence, now: datetime) -> dict[str, Any]:
    return {
        "endpoint": endpoint.number,
        "event_id": event.event_id,
        "send_id": event.send_id,
        "occurred_at": event.occurred_at,
        "change": None,
        "state": NoticeState.PENDING,
        "attempts": 0,
        "awaits_verdict": False,
        "created_at": now,
    }


def _insert(session: Session, rows: Sequence[dict[str, Any]]) -> int:
    """Insert those that are not there yet; how many those were."""
    noted = insert_absent(session, WebhookNotice)
    return len(session.execute(noted.returning(WebhookNotice.number), list(rows)).all())
