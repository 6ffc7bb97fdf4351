"""One attempt at one message: read, check, render, compose, hand over, record."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from uuid import UUID

from waypost.config import Settings
from waypost.db import UNAVAILABLE
from waypost.db.link_policy import sending_policy, unsubscribe_urls
from waypost.db.states import SendState
from waypost.db.tables import Content
from waypost.links.keyring import Keyring
from waypost.mail.queue import Claim, Composed, Job, Queue, Step
from waypost.mail.relay import Accepted, Answer, Deferred, Envelope, Refused, Relay
from waypost.mail.render import UNTRACKED as NOT_REWRITTEN
from waypost.mail.render import Rendered, link_origin, render
from waypost.mail.schedule import hold_until, retry_at
from waypost.mail.signing import Signers
from waypost.mime import AddressProblem, Attachment, Mailbox, Message, Unsubscribe, compose, mailbox
from waypost.mime.dkim import sign
from waypost.mime.errors import MimeError
from waypost.mime.return_path import return_path

_log = logging.getLogger(__name__)

# The relay has the message: not recording that would send it twice. The lease is renewed meanwhile if it can be.
_RECORD_AGAIN_SECONDS = (0.1, 0.5, 1, 2, 5, 10)

_ADDRESS_PROBLEMS = {
    AddressProblem.MALFORMED: "is not an address that mail can be sent with",
    AddressProblem.SMTPUTF8_REQUIRED: "has a local part that is not ASCII, which needs SMTPUTF8; it is not supported",
}


class Outcome(StrEnum):
    """What came of an attempt; also the names they are counted by."""

    DELIVERED = "delivered"
    BOUNCED = "bounced"
    REJECTED = "rejected"
    """Never to be sent: given to no relay."""
    POSTPONED = "postponed"
    RELAY_DOWN = "relay_down"
    """Postponed, and others would be as well."""
    HELD = "held"


UNTRACKED = "untracked"
"""Counts messages that went out without tracking because rewriting failed."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message about to be handed over."""

    claim: Claim
    composed: Composed
    envelope: Envelope


class Deliverer:
    """Makes attempts; safe to use for many at once.

    Args:
        settings: mail, and what links need.
        keyring: the newest one mints link tokens.
        signers: sign messages.
        pseudonym: what stands for a send id in pseudonymous mode.
        queue: where claims come from and outcomes go.
        relay: who delivers.
        clock: aware UTC now.
        chance: random numbers from 0 to 1.
        counts: is added to, by `Outcome` and `UNTRACKED`.
    """

    def __init__(
        self,
        settings: Settings,
        keyring: Callable[[], Keyring],
        signers: Signers,
        pseudonym: Callable[[UUID], UUID],
        *,
        queue: Queue,
        relay: Relay,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
        counts: Counter[str],
    ) -> None:
        self._settings = settings
        self._keyring = keyring
        self._signers = signers
        self._pseudonym = pseudonym
        self._queue = queue
        self._relay = relay
        self._clock = clock
        self._chance = chance
        self._counts = counts
        self._relay_down = False

    async def attempt(self, claim: Claim) -> Outcome:
        """Make one attempt and record what came of it.

        Raises:
            SQLAlchemyError: the database failed; the lease will end and the message be taken again.
        """
        try:
            outcome = await self._attempt(claim)
        except UNAVAILABLE:
            raise
        except Exception:  # noqa: BLE001 - a bug that this message may meet at every attempt: it must come to an end
            _log.exception("delivery %d met a fault of ours", claim.delivery_id)
            reason = f"something went wrong here; the log tells what of delivery {claim.delivery_id}"
            outcome = await asyncio.to_thread(self._postpone, claim, None, Deferred(reason))
        self._counts[outcome] += 1
        return outcome

    async def _attempt(self, claim: Claim) -> Outcome:
        prepared = await asyncio.to_thread(self._prepare, claim)
        if isinstance(prepared, Outcome):
            return prepared
        answer = await self._relay.send(prepared.envelope)
        self._tell_of_relay(answer)
        return await self._record(prepared, answer)

    def _tell_of_relay(self, answer: Answer) -> None:
        """Log that the relay went away or came back: once, not for every message that waits for it."""
        down = isinstance(answer, Deferred) and answer.relay_down
        if down is self._relay_down:
            return
        self._relay_down = down
        where = f"{self._settings.mail.relay_host}:{self._settings.mail.relay_port}"
        if isinstance(answer, Deferred) and down:
            _log.warning(
                "the relay %s cannot be used: %s; messages wait (mail.relay_host and mail.relay_port name another)",
                where,
                answer.reply,
            )
        else:
            _log.warning("the relay %s can be used again", where)

    def _prepare(self, claim: Claim) -> Prepared | Outcome:
        job = self._queue.job(claim)
        now = self._clock()
        if reason := job.end_reason:
            self._queue.failed(claim, None, Step(SendState.REJECTED, now, reason))
            return Outcome.REJECTED
        if reason := job.hold_reason:
            look_again_at = hold_until(now, held_since=job.delivery.created_at, chance=self._chance())
            self._queue.held(claim, look_again_at, reason)
            return Outcome.HELD
        if job.content is None:
            return self._bounce(claim, None, "the content is no longer kept")
        mailboxes = _mailboxes(job, job.content)
        if isinstance(mailboxes, str):
            return self._bounce(claim, None, mailboxes)
        rendered = self._render(job, job.content)
        try:
            message = _compose(job, job.content, mailboxes, rendered)
        except MimeError as error:
            _log.exception("send %s cannot be composed", job.send.send_id)
            return self._bounce(claim, None, f"the message cannot be composed: {error}")
        signers = self._signers.of(job.profile.sending_domain, job.dkim_keys)
        signed = sign(message, signers, job.send.created_at)
        envelope = Envelope(_sender(job, mailboxes), mailboxes.recipient.address, signed)
        return Prepared(claim, Composed(now, _note(job, rendered)), envelope)

    def _render(self, job: Job, content: Content) -> Rendered:
        keyring = self._keyring()
        policy = sending_policy(keyring, unsubscribe_urls(job.send.list_unsubscribe))
        origin = link_origin(job.profile.link_domain, self._settings.links, self._settings.edge)
        return render(
            job.send,
            content,
            job.profile,
            keyring=keyring,
            policy=policy,
            origin=origin,
            pseudonym=self._pseudonym,
        )

    def _bounce(self, claim: Claim, composed: Composed | None, reason: str) -> Outcome:
        self._queue.failed(claim, composed, Step(SendState.BOUNCE, self._clock(), reason))
        return Outcome.BOUNCED

    async def _record(self, prepared: Prepared, answer: Answer) -> Outcome:
        claim, composed = prepared.claim, prepared.composed
        match answer:
            case Accepted():
                await self._record_delivered(claim, composed, answer)
                self._counts[UNTRACKED] += composed.note is not None
                return Outcome.DELIVERED
            case Refused():
                return await asyncio.to_thread(self._bounce, claim, composed, answer.reply)
            case Deferred():
                return await asyncio.to_thread(self._postpone, claim, composed, answer)

    async def _record_delivered(self, claim: Claim, composed: Composed, answer: Accepted) -> None:
        record = partial(self._queue.delivered, claim, composed, self._clock(), answer.reply)
        for seconds in _RECORD_AGAIN_SECONDS:
            try:
                await asyncio.to_thread(record)
            except UNAVAILABLE as error:
                _log.warning("send %s is delivered, but cannot be recorded yet: %s", claim.send_id, error)
                await asyncio.sleep(seconds)
            else:
                return
        await asyncio.to_thread(record)

    def _postpone(self, claim: Claim, composed: Composed | None, answer: Deferred) -> Outcome:
        next_attempt_at = retry_at(
            self._clock(),
            attempts=claim.attempts,
            first_attempt_at=claim.first_attempt_at,
            give_up_seconds=self._settings.mail.give_up_seconds,
            relay_down=answer.relay_down,
            chance=self._chance(),
        )
        if next_attempt_at is None:
            seconds = self._settings.mail.give_up_seconds
            return self._bounce(claim, composed, f"gave up after {seconds} seconds: {answer.reply}")
        self._queue.postponed(claim, composed, next_attempt_at, answer.reply, counted=not answer.relay_down)
        return Outcome.RELAY_DOWN if answer.relay_down else Outcome.POSTPONED


@dataclass(frozen=True, slots=True)
class _Mailboxes:
    from_: Mailbox
    recipient: Mailbox
    """Who gets this one: of the envelope."""
    to: tuple[Mailbox, ...]
    """Whom the header names, and so for `cc`."""
    cc: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]


def _mailboxes(job: Job, content: Content) -> _Mailboxes | str:
    """The send's mailboxes, or a sentence that says which address cannot be used and why."""
    send = job.send
    recipient = [send.recipient_name, send.recipient_email_address]
    named = content.addressees or {"to": [recipient], "cc": []}
    wanted = {
        "from_email_address": [[send.from_name, send.from_email_address]],
        "recipient_email_address": [recipient],
        # Whom it was to may be erased by now: a message without `To` is taken for spam.
        "to": named["to"] or [recipient],
        "cc": named["cc"],
        "reply_to": [["", send.reply_to]] if send.reply_to else [],
    }
    found: dict[str, list[Mailbox]] = {field: [] for field in wanted}
    for field, pairs in wanted.items():
        for name, address in pairs:
            box = mailbox(address, name)
            if isinstance(box, AddressProblem):
                return f"{field} {_ADDRESS_PROBLEMS[box]}"
            found[field].append(box)
    [from_], [recipient_], *others = found.values()
    return _Mailboxes(from_, recipient_, *map(tuple, others))


def _note(job: Job, rendered: Rendered) -> str | None:
    """What the sender should know: that tracking failed, now or when control planned it; not what failed last time."""
    accepted = job.send.error if job.send.error != NOT_REWRITTEN else None
    return rendered.error or accepted


def _sender(job: Job, mailboxes: _Mailboxes) -> str:
    """Where bounces go; without a bounce domain, to the author."""
    bounce_domain = job.profile.bounce_domain
    return return_path(job.send.send_id, bounce_domain) if bounce_domain else mailboxes.from_.address


def _compose(job: Job, content: Content, mailboxes: _Mailboxes, rendered: Rendered) -> bytes:
    return compose(
        Message(
            send_id=job.send.send_id,
            # The time of the request, not of the attempt: every attempt sends the same bytes.
            sent_at=job.send.created_at,
            from_=mailboxes.from_,
            to=mailboxes.to,
            cc=mailboxes.cc,
            reply_to=mailboxes.reply_to,
            subject=job.send.subject,
            text=rendered.text,
            html=rendered.html,
            attachments=tuple(
                Attachment(file.name, file.content_type, file.data, file.inline_id) for file in job.attachments
            ),
            unsubscribe=Unsubscribe(**job.send.list_unsubscribe) if job.send.list_unsubscribe else None,
            headers=_headers(content),
        )
    )


def _headers(content: Content) -> tuple[tuple[str, str], ...]:
    kept = content.headers or []
    pairs = kept.items() if isinstance(kept, dict) else kept
    return tuple((name, value) for name, value in pairs)
