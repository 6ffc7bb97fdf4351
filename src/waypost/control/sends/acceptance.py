"""Taking messages in: what the 202 promises."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from anyio import to_thread
from pydantic import BaseModel
from sqlalchemy.orm import Session

from waypost.control.errors import NoActiveProfileError, UnconfirmedError
from waypost.control.fields import domain_of
from waypost.control.idempotency import AnsweredError, Answers, KeyedRequest
from waypost.control.links.planning import NOTHING_PLANNED, LinkPlan, plan_links
from waypost.control.sends.extras import stored_attachments
from waypost.control.sends.rows import Addressees, Kept, content_row, news, send_row, store, unsubscribe_of
from waypost.control.sends.schema import Message, NewRecipient
from waypost.control.sends.sender import Sender, sender_of
from waypost.control.sources import Sources
from waypost.db import UNAVAILABLE, Database
from waypost.db.link_policy import unsubscribe_urls
from waypost.db.together import Together
from waypost.links.keyring import Keyring

# A round of so many takes 100 ms: nobody should wait longer for the one before.
MESSAGES_TOGETHER = 64
# Writing this much takes as long as writing all messages of a usual round: no other message is to wait for it.
BYTES_TOGETHER = 1024 * 1024
# As many as FastAPI has threads: a few large messages hold up no small one.
PLANNED_AT_ONCE = 40


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was taken in.

    Attributes:
        sender: what it is sent with.
        sends: values of their rows, one for each recipient, in their order.
        report: which links are tracked; None without click tracking.
        error: why it goes out untracked although tracking was asked for; else None.
    """

    sender: Sender
    sends: list[dict[str, Any]]
    report: dict[str, Any] | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """A message that is to be taken in.

    Attributes:
        account: number of the sender's, which may send.
        unconfirmed: the session of its request, if that is still to be confirmed; else None.
        message: what all get.
        recipients: who they are.
        addressees: whom the header names; None: each recipient sees herself alone.
        request: remembered with its answer, in the same transaction; None: it came without a key.
        view_of: makes that answer.
    """

    account: int
    unconfirmed: UUID | None
    message: Message
    recipients: Sequence[NewRecipient]
    addressees: Addressees | None
    request: KeyedRequest | None
    view_of: Callable[[Taken], BaseModel]


_SenderKey = tuple[int, str, UUID | None]
"""Account, domain, and the session that is to be confirmed."""


@dataclass(frozen=True, slots=True)
class _Offered:
    """An order with all that can be made of it before the transaction."""

    order: Order
    domain: str
    planned: LinkPlan
    content: dict[str, Any]
    attachments: list[dict[str, Any]]
    at: datetime

    @property
    def sender(self) -> _SenderKey:
        """What it is to be sent with."""
        return self.order.account, self.domain, self.order.unconfirmed

    @property
    def bytes(self) -> int:
        """About as much as is written, leaving out what each message has."""
        parts = [self.content["html"], self.content["text"], *(each["data"] for each in self.attachments)]
        return sum(len(part) for part in parts if part)


class Acceptance:
    """Takes messages in: on return they are durable, in the delivery queue, on their way to the event store.

    Args:
        database: the control database.
        sources: clock and randomness.
        keyring: the newest one, to recognise our own links.
    """

    def __init__(self, database: Database, sources: Sources, keyring: Callable[[], Keyring]) -> None:
        self._database = database
        self._sources = sources
        self._keyring = keyring
        self._answers = Answers(sources)
        self._together = Together(self._keep, MESSAGES_TOGETHER)
        self._threads = ThreadPoolExecutor(PLANNED_AT_ONCE, thread_name_prefix="plan")

    async def take(self, order: Order) -> Taken:
        """Take a message in for its recipients: all of them or none.

        One transaction keeps the content once, and what differs for each recipient; it is shared with the messages to
        one recipient that come at the same time. Links are planned, and content is compressed, before it.

        Raises:
            NoActiveProfileError: the account may not send for the domain of `from_email_address`.
            AnsweredError: the request was answered before.
            UnconfirmedError: its session has ended, or there is another reason for not taking it in.
        """
        offered = await asyncio.get_running_loop().run_in_executor(self._threads, self._offered, order)
        if len(order.recipients) == 1 and offered.bytes <= BYTES_TOGETHER:
            return await self._together.do(offered)
        [taken] = await to_thread.run_sync(self._keep, [offered])
        if isinstance(taken, Exception):
            raise taken
        return taken

    def _offered(self, order: Order) -> _Offered:
        message = order.message
        planned, at = self._planned(message), self._sources.now()
        return _Offered(
            order=order,
            domain=domain_of(message.from_email_address),
            planned=planned,
            content=content_row(order.account, message, at, addressees=order.addressees, report=planned.report),
            attachments=stored_attachments(message.attachments or []),
            at=at,
        )

    def _planned(self, message: Message) -> LinkPlan:
        if not message.click_tracking or not message.content_html:
            return NOTHING_PLANNED
        return plan_links(message.content_html, self._keyring(), unsubscribe_urls(unsubscribe_of(message)))

    def _keep(self, offered: Sequence[_Offered]) -> list[Taken | Exception]:
        """Write them, in one transaction."""
        try:
            with self._database.writing() as session:
                return self._write(session, offered)
        except UNAVAILABLE:
            raise
        except Exception:
            if len(offered) == 1:
                raise
        return [self._alone(each) for each in offered]

    def _alone(self, offered: _Offered) -> Taken | Exception:
        """Write one of a round that failed: of all of them, it fails only if it was the reason."""
        try:
            [taken] = self._keep([offered])
        except Exception as error:  # noqa: BLE001 - it is raised where the message came in
            return error
        return taken

    def _write(self, session: Session, offered: Sequence[_Offered]) -> list[Taken | Exception]:
        answered = self._answers.given(session, {each.order.request for each in offered if each.order.request})
        senders = _senders(session, offered)
        outcomes = [self._kept(each, senders[each.sender], answered) for each in offered]
        if kept := [each for each in outcomes if isinstance(each, Kept)]:
            store(session, kept)
        taken = [_taken(each, outcome) for each, outcome in zip(offered, outcomes, strict=True)]
        self._answers.remember(
            session,
            [
                (each.order.request, partial(each.order.view_of, outcome))
                for each, outcome in zip(offered, taken, strict=True)
                if each.order.request and isinstance(outcome, Taken)
            ],
        )
        return taken

    def _kept(
        self, offered: _Offered, sender: Sender | Exception, answered: Collection[KeyedRequest]
    ) -> Kept | Exception:
        if isinstance(sender, UnconfirmedError):  # before all else: nobody may be told what was answered to others
            return sender
        if offered.order.request in answered:
            return AnsweredError()
        if isinstance(sender, Exception):
            return sender
        sends = [
            send_row(self._sources, sender, offered.order.message, recipient, planned=offered.planned, now=offered.at)
            for recipient in offered.order.recipients
        ]
        facts = [fact for send in sends for fact in news(self._sources, send, sender, offered.planned)]
        return Kept(sender, offered.content, offered.attachments, sends, facts)


def _senders(session: Session, offered: Iterable[_Offered]) -> dict[_SenderKey, Sender | Exception]:
    """What each account sends with for each domain, looked up once: most messages of a round are of one or two."""
    found: dict[_SenderKey, Sender | Exception] = {}
    for key in {each.sender for each in offered}:
        try:
            found[key] = sender_of(session, *key)
        except (NoActiveProfileError, UnconfirmedError) as error:
            found[key] = error
    return found


def _taken(offered: _Offered, outcome: Kept | Exception) -> Taken | Exception:
    if isinstance(outcome, Exception):
        return outcome
    return Taken(outcome.sender, outcome.sends, offered.planned.report, offered.planned.error)
