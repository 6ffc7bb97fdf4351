"""Notes what endpoints are to be told, exactly once for each event and endpoint (docs/adr/0016-webhooks.md).

The pipeline calls this once an event is stored and before it lets go of the segment or the outbox row it came from.
Killed in between, it comes again with the same events, and those noted already stay as they are.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from waypost.db.engine import Database
from waypost.db.states import EndpointState, NoticeState, WebhookFormat, WebhookTiming
from waypost.db.tables import WebhookEndpoint, WebhookNotice
from waypost.events.notice import BY_READERS, Judged, NoticeType, Occurrence
from waypost.webhooks.counts import Counts

LEARN_SECONDS: Final = 2.0
"""What happens sooner after an endpoint was made, or changed, may not be told."""
VERDICT_WAIT_MAX: Final = timedelta(minutes=5)
"""How long an endpoint that waits for the verdict waits at most: it is final two minutes after the end of a burst."""
# One transaction: short, because mail and the API write meanwhile.
_BATCH: Final = 1000

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
        oldest = self._now() - self._keep
        recent = [each for each in occurrences if each.account in self.accounts() and each.occurred_at >= oldest]
        return sum(self._write(batch, _event_row) for batch in _batches(recent))

    def judged(self, judged: Sequence[Judged]) -> int:
        """Tell of verdicts: let go what waited for a final one, and note changes; returns how many notices are new.

        To be called once the event store has the verdicts; repeating it does no harm.

        Raises:
            SQLAlchemyError: hand all of them over again.
        """
        oldest = self._now() - self._keep
        recent = [
            each
            for each in judged
            if each.occurrence.account in self.accounts() and each.occurrence.occurred_at >= oldest
        ]
        new = 0
        for batch in _batches(recent):
            # First: who is told of the event with its verdict needs no word about the change.
            new += self._write([each for each in batch if each.change is not None], _change_row, changes=True)
            self._release([each for each in batch if each.final])
        return new

    def _write(
        self,
        batch: Sequence[Any],
        row: Callable[[WebhookEndpoint, Any, datetime], dict[str, Any] | None],
        *,
        changes: bool = False,
    ) -> int:
        if not batch:
            return 0
        now = self._now()
        with self._database.writing() as session:
            endpoints = _endpoints(session, {_occurrence(each).account for each in batch})
            untold = _untold(session, batch) if changes else frozenset()
            rows = [
                values
                for each in batch
                for endpoint in endpoints.get(_occurrence(each).account, ())
                if (endpoint.number, _occurrence(each).event_id) not in untold
                and (values := row(endpoint, each, now)) is not None
            ]
            new = _insert(session, rows) if rows else 0
        self._counts.noted(new)
        return new

    def _release(self, judged: Sequence[Judged]) -> None:
        if not judged:
            return
        waiting = (
            update(WebhookNotice)
            .where(
                WebhookNotice.event_id.in_([each.occurrence.event_id for each in judged]),
                WebhookNotice.awaits_verdict,
                WebhookNotice.state == NoticeState.PENDING,
            )
            .values(awaits_verdict=False, next_attempt_at=self._now())
        )
        with self._database.writing() as session:
            session.execute(waiting)


def _occurrence(each: Occurrence | Judged) -> Occurrence:
    return each if isinstance(each, Occurrence) else each.occurrence


def _batches(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
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


def _untold(session: Session, batch: Sequence[Judged]) -> frozenset[tuple[int, Any]]:
    """Endpoints and events whose first message is still to go out: it will have the new verdict."""
    pending = select(WebhookNotice.endpoint, WebhookNotice.event_id).where(
        WebhookNotice.event_id.in_([each.occurrence.event_id for each in batch]),
        WebhookNotice.type != NoticeType.CLICK_RECLASSIFIED,
        WebhookNotice.state == NoticeState.PENDING,
        WebhookNotice.attempts == 0,
    )
    return frozenset((endpoint, event_id) for endpoint, event_id in session.execute(pending))


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


def _change_row(endpoint: WebhookEndpoint, judged: Judged, now: datetime) -> dict[str, Any] | None:
    event = judged.occurrence
    if (
        event.type is not NoticeType.CLICK
        or NoticeType.CLICK_RECLASSIFIED not in endpoint.events
        or event.occurred_at < endpoint.created_at
        or endpoint.format is not WebhookFormat.WAYPOST
    ):
        return None
    return {
        **_row(endpoint, event, now),
        "message_id": judged.message_id,
        "type": NoticeType.CLICK_RECLASSIFIED,
        "change": msgspec.to_builtins(judged.change),
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
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    noted = insert(WebhookNotice).on_conflict_do_nothing(index_elements=["endpoint", "message_id"])
    return len(session.execute(noted.returning(WebhookNotice.number), list(rows)).all())
