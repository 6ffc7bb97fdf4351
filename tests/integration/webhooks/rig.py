"""Webhooks over a control database, with an event store that is a dictionary."""

import asyncio
import contextlib
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import func, select

from waypost.config import load
from waypost.db import ControlKey, Database
from waypost.db.states import AccountState, NoticeState, WebhookFormat, WebhookTiming
from waypost.db.tables import Account, WebhookAttempt, WebhookEndpoint, WebhookNotice
from waypost.db.webhook_secrets import WebhookSecret, seal_webhook_secret
from waypost.events.ids import uuid7
from waypost.events.notice import NoticeType, Occurrence
from waypost.webhooks.counts import Counts
from waypost.webhooks.notices import Notices
from waypost.webhooks.process import run
from waypost.webhooks.queue import figures
from waypost.webhooks.signing import secret_text

KEY = ControlKey(bytes(32))


@dataclass
class Rig:
    database: Database
    data: object
    connections: int = 64
    events: dict = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    offset: timedelta = timedelta()
    """What the clock is ahead by."""

    def __post_init__(self):
        environment = {
            "WAYPOST_WEBHOOKS__PRIVATE_NETWORKS": "127.0.0.0/8",
            "WAYPOST_WEBHOOKS__CONNECTIONS": str(self.connections),
        }
        self.settings = load(None, environment, self.data)
        self.notices = self.new_notices()

    def new_notices(self):
        return Notices(self.database, self.counts, now=self.now, keep=timedelta(days=7), monotonic=_Rising())

    def now(self):
        return datetime.now(UTC) + self.offset

    def account(self, number=None):
        at = self.now()
        account = Account(
            public_id=uuid4(), name="a", email=f"{uuid4()}@example.com", state=AccountState.APPROVED, created_at=at,
            modified_at=at,
        )  # fmt: skip
        if number is not None:
            account.number = number
        with self.database.writing() as session:
            session.add(account)
        return account.number

    def become(self, account, state):
        with self.database.writing() as session:
            session.get(Account, account).state = state

    def endpoint(self, account, url, **fields):
        """An endpoint that is told of everything; its row and its secret."""
        endpoint_id, secret, at = uuid4(), secret_text(os.urandom(32)), self.now() - timedelta(hours=1)
        credentials = fields.pop("credentials", None)
        row = WebhookEndpoint(
            public_id=endpoint_id,
            account=account,
            url=url,
            events=[str(each) for each in fields.pop("events", NoticeType)],
            sealed_credentials=credentials
            and seal_webhook_secret(KEY, WebhookSecret.CREDENTIALS, endpoint_id, credentials),
            sealed_secret=seal_webhook_secret(KEY, WebhookSecret.SIGNING, endpoint_id, secret),
            **{"created_at": at, "modified_at": at, "format": WebhookFormat.WAYPOST, **fields},
        )
        with self.database.writing() as session:
            session.add(row)
        return row, secret

    def click(self, account, type_=NoticeType.CLICK, **fields):
        """An event that the event store has."""
        at = fields.pop("at", self.now())
        send_id = fields.pop("send_id", None) or uuid7(int(at.timestamp() * 1000), os.urandom(10))
        event_id = uuid7(int(at.timestamp() * 1000), os.urandom(10))
        event = {"event_id": str(event_id), "event": str(type_), "send_id": str(send_id), **fields}
        self.events.setdefault((account, send_id), {})[event_id] = event
        return Occurrence(account, send_id, event_id, type_, at)

    def events_of(self, wanted):
        return {
            event_id: event
            for account, send_id, event_id in wanted
            if (event := self.events.get((account, send_id), {}).get(event_id))
        }

    @contextlib.asynccontextmanager
    async def running(self, **parts):
        stop = asyncio.Event()
        # No receiver but those that are tested for it is too slow, whatever this machine is.
        defaults = {"clock": self.now, "counts": self.counts, "seconds": 60.0}
        task = asyncio.create_task(
            run(self.settings, self.database, KEY, parts.pop("events_of", self.events_of), stop, **(defaults | parts))
        )
        try:
            yield stop
        finally:
            stop.set()
            await task

    def states(self, endpoint=None):
        wanted = select(WebhookNotice.state, func.count()).group_by(WebhookNotice.state)
        if endpoint is not None:
            wanted = wanted.where(WebhookNotice.endpoint == endpoint.number)
        with self.database.reading() as session:
            return {state: count for state, count in session.execute(wanted)}  # noqa: C416 -- rows are no pairs to dict

    def settled(self, count):
        return lambda: sum(n for state, n in self.states().items() if state is not NoticeState.PENDING) >= count

    def nothing_is_due(self):
        """Whether all that is to be told waits for its time."""
        pending = [notice for notice in self.notices_kept() if notice.state is NoticeState.PENDING]
        return all(notice.next_attempt_at > self.now() for notice in pending)

    def attempts(self):
        with self.database.reading() as session:
            return session.scalars(select(WebhookAttempt).order_by(WebhookAttempt.number)).all()

    def notices_kept(self):
        with self.database.reading() as session:
            return session.scalars(select(WebhookNotice).order_by(WebhookNotice.number)).all()

    def figures(self):
        with self.database.reading() as session:
            return figures(session, self.now())

    def row(self, endpoint):
        with self.database.reading() as session:
            return session.get(WebhookEndpoint, endpoint.number)


class _Rising:
    """A clock that is always late enough to ask again."""

    def __init__(self):
        self.at = 0.0

    def __call__(self):
        self.at += 10
        return self.at


async def until(condition, seconds=60):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- what is waited for is in a database
            await asyncio.sleep(0.02)


AFTER_VERDICT = {"timing": WebhookTiming.AFTER_VERDICT}
