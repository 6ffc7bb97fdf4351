"""An account that is told of its events: its sends in the control database, and what was noted for its endpoints."""

import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import NamedTuple, Self
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from torture.load import LINK_DOMAIN, number_of, send_id
from waypost.control.ksuid import ksuid
from waypost.db import Database
from waypost.db.outbox import SendEvent, rows
from waypost.db.states import AccountState, AttemptOutcome, NoticeState, SendState
from waypost.db.tables import Account, Profile, Send, WebhookAttempt, WebhookEndpoint, WebhookNotice
from waypost.events.ids import uuid7
from waypost.events.notice import NoticeType

EMAIL = "told@shop.example"
_ROWS_AT_ONCE = 5_000

Told = tuple[NoticeType, int]
"""What happened to the send of that number."""


def fill(database: Database, account: int, profile: int, numbers: Sequence[int]) -> None:
    """Make the account with a profile, and sends of these numbers."""
    now = datetime.now(UTC)
    times = {"created_at": now, "modified_at": now}
    owner = Account(public_id=uuid4(), name="told", email=EMAIL, state=AccountState.APPROVED, **times)
    sender = Profile(
        public_id=uuid4(), account=account, profile_name="told", sending_domain="shop.example", link_domain=LINK_DOMAIN,
        **times,
    )  # fmt: skip
    owner.number, sender.number = account, profile
    with database.writing() as session:
        session.add(owner)
        session.flush()
        session.add(sender)
    for first in range(0, len(numbers), _ROWS_AT_ONCE):
        with database.writing() as session:
            session.execute(
                insert(Send),
                [
                    {
                        "send_id": send_id(number),
                        "send_key": ksuid(int(now.timestamp()), os.urandom(16)),
                        "account": account,
                        "profile": profile,
                        "tags": [],
                        "from_email_address": "shop@shop.example",
                        "recipient_email_address": f"reader-{number}@inbox.example",
                        **times,
                    }
                    for number in numbers[first : first + _ROWS_AT_ONCE]
                ],
            )


class Deliveries(threading.Thread):
    """Has one send after the other be delivered, as mail writes it down, from `with` to its end."""

    def __init__(
        self, database: Database, account: int, profile: int, numbers: Iterable[int], per_second: float
    ) -> None:
        super().__init__(daemon=True)
        self._database = database
        self._account = account
        self._profile = profile
        self._left = iter(numbers)
        self._pause = 1 / per_second
        self._enough = threading.Event()
        self.done: list[int] = []
        """Written down durably."""
        self.failure: Exception | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._enough.set()
        self.join()

    def run(self) -> None:
        """Until it is enough."""
        try:
            while not self._enough.wait(self._pause):
                self._deliver(next(self._left))
        except Exception as error:  # noqa: BLE001 -- told by the main thread
            self.failure = error

    def _deliver(self, number: int) -> None:
        """Until it is written down: the database may be away."""
        now = datetime.now(UTC)
        event = SendEvent(
            event_id=uuid7(int(now.timestamp() * 1000), os.urandom(10)),
            event=SendState.DELIVERED,
            occurred_at=now,
            account=self._account,
            profile=self._profile,
            send_id=send_id(number),
        )
        while not self._enough.is_set():
            try:
                with self._database.writing() as session:
                    session.add_all(rows([event], now))
            except SQLAlchemyError:
                self._enough.wait(self._pause)
            else:
                self.done.append(number)
                return


class Notice(NamedTuple):
    """What was noted."""

    endpoint: UUID
    message_id: str
    told: Told
    state: NoticeState


def notices(database: Database) -> list[Notice]:
    """All there are."""
    wanted = select(
        WebhookEndpoint.public_id,
        WebhookNotice.message_id,
        WebhookNotice.type,
        WebhookNotice.send_id,
        WebhookNotice.state,
    ).join(WebhookEndpoint, WebhookEndpoint.number == WebhookNotice.endpoint)
    with database.reading() as session:
        return [
            Notice(endpoint, str(message_id), (type_, number_of(send)), state)
            for endpoint, message_id, type_, send, state in session.execute(wanted)
        ]


def noted(of_one: Iterable[Notice]) -> Counter[Told]:
    """How often each event was noted for an endpoint; changes of verdicts apart, which have ids of their own."""
    return Counter(each.told for each in of_one if each.told[0] is not NoticeType.CLICK_RECLASSIFIED)


def outcomes(database: Database) -> Counter[AttemptOutcome]:
    """What came of all attempts."""
    with database.reading() as session:
        return Counter(session.scalars(select(WebhookAttempt.outcome)))


def make_due(database: Database) -> None:
    """Have every message's time come, and every lease end, while no core runs."""
    waiting = update(WebhookNotice).where(WebhookNotice.state == NoticeState.PENDING)
    with database.writing() as session:
        session.execute(waiting.values(next_attempt_at=datetime.now(UTC), claimed_until=None))


def wait_told(database: Database, seconds: float, *, but: UUID | None = None) -> None:
    """Until nothing is to be told any more to any endpoint but that one.

    Raises:
        AssertionError: something still is.
    """
    waiting = (
        select(WebhookEndpoint.url, func.count())
        .join(WebhookNotice, WebhookNotice.endpoint == WebhookEndpoint.number)
        .where(WebhookNotice.state == NoticeState.PENDING, WebhookEndpoint.public_id != but)
        .group_by(WebhookEndpoint.url)
    )
    began = time.monotonic()
    for looks in itertools.count():
        with database.reading() as session:
            left = session.execute(waiting).all()
        if not left:
            return
        if time.monotonic() - began > seconds:
            raise AssertionError(f"after {seconds:g} s and {looks} looks there is still to be told: {left}")
        time.sleep(0.2)
