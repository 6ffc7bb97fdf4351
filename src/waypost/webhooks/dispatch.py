"""What one attempt does: read the event, write and sign the message, send it, record what came of it."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from waypost.db import ControlKey
from waypost.db.states import AttemptOutcome, WebhookFormat
from waypost.db.tables import WebhookEndpoint
from waypost.db.together import Together
from waypost.db.webhook_secrets import WebhookSecret, open_webhook_secret
from waypost.events.notice import NoticeType
from waypost.webhooks import payload, postmark, signing
from waypost.webhooks.address import AnyNetwork
from waypost.webhooks.counts import Counts
from waypost.webhooks.errors import TargetError
from waypost.webhooks.payload import Event
from waypost.webhooks.queue import Attempt, Claim, Queue
from waypost.webhooks.schedule import retry_at
from waypost.webhooks.sender import Answer, Sender
from waypost.webhooks.target import Target, read_target

# Of messages that arrived at the same time: a transaction for each costs more than sending it.
_RECORDED_MAX: Final = 100

_log = logging.getLogger(__name__)

Events = Mapping[UUID, Event]
"""Events as the API has them, by their ids."""
EventsOf = Callable[[Collection[tuple[int, UUID, UUID]]], Events]
"""Reads events, each by its account, its send and its id; those that are not kept any more are left out."""


class Dispatcher:
    """Makes attempts.

    Args:
        queue: where they are recorded.
        sender: over which they go.
        control_key: opens the secrets of endpoints.
        private_networks: the setting of this name.
        clock: aware UTC now.
        chance: random numbers from 0 to 1.
        counts: raised.
    """

    def __init__(
        self,
        queue: Queue,
        sender: Sender,
        control_key: ControlKey,
        private_networks: Sequence[AnyNetwork],
        *,
        clock: Callable[[], datetime],
        chance: Callable[[], float],
        counts: Counts,
    ) -> None:
        self._queue = queue
        self._sender = sender
        self._control_key = control_key
        self._private_networks = private_networks
        self._clock = clock
        self._chance = chance
        self._counts = counts
        self._delivered = Together(self._succeeded, _RECORDED_MAX)

    async def attempt(self, claim: Claim, known: Events) -> Attempt:
        """Make one attempt, which is to be recorded.

        Args:
            claim: what to send.
            known: has the claim's event, if it is kept.

        Raises:
            ControlKeyError: the endpoint's secrets cannot be opened.
        """
        started_at, began = self._clock(), asyncio.get_running_loop().time()
        answer = await self._answer(claim, known, started_at)
        milliseconds = round((asyncio.get_running_loop().time() - began) * 1000)
        self._counts.attempted(answer.outcome)
        return Attempt(started_at, milliseconds, answer)

    async def record(self, claim: Claim, attempt: Attempt) -> None:
        """End a claim with what came of it.

        Raises:
            SQLAlchemyError: it could not be recorded; the lease brings the message back.
        """
        if attempt.answer.outcome is AttemptOutcome.DELIVERED:
            await self._delivered.do((claim, attempt))
        else:
            await asyncio.to_thread(self._failed, claim, attempt)

    async def _answer(self, claim: Claim, known: Events, at: datetime) -> Answer:
        body = message(claim, known)
        if body is None:
            return Answer(AttemptOutcome.MISSING, error="the event is not kept any more")
        try:
            target = self._target(claim.endpoint)
        except TargetError as error:  # the setting was changed since
            return Answer(AttemptOutcome.REFUSED, error=f"its URL {error}")
        headers = signing.headers(str(claim.notice.message_id), at, body, self._secrets(claim.endpoint, at))
        return await self._sender.post(target, headers, body)

    def _succeeded(self, made: Sequence[tuple[Claim, Attempt]]) -> Sequence[None]:
        self._queue.delivered(made)
        return [None] * len(made)

    def _failed(self, claim: Claim, attempt: Attempt) -> None:
        disabled = self._queue.failed(claim, attempt, self._next(claim, attempt))
        if disabled is not None:
            self._counts.disabled()
            _log.warning("webhook endpoint %s is disabled: %s", claim.endpoint.public_id, disabled)

    def _next(self, claim: Claim, attempt: Attempt) -> datetime | None:
        answer = attempt.answer
        if answer.outcome in {AttemptOutcome.GONE, AttemptOutcome.MISSING}:
            return None
        return retry_at(
            attempt.ended_at,
            attempts=claim.notice.attempts,
            retry_after=answer.retry_after,
            chance=self._chance(),
        )

    def _target(self, endpoint: WebhookEndpoint) -> Target:
        target = read_target(endpoint.url, self._private_networks)
        if endpoint.sealed_credentials is None:
            return target
        return replace(target, credentials=self._open(endpoint, WebhookSecret.CREDENTIALS, endpoint.sealed_credentials))

    def _secrets(self, endpoint: WebhookEndpoint, at: datetime) -> Sequence[str]:
        """The newest first: a receiver that knows it looks no further."""
        sealed = [endpoint.sealed_secret]
        until = endpoint.previous_secret_until
        if endpoint.sealed_previous_secret is not None and until is not None and at < until:
            sealed.append(endpoint.sealed_previous_secret)
        return [self._open(endpoint, WebhookSecret.SIGNING, each) for each in sealed]

    def _open(self, endpoint: WebhookEndpoint, kind: WebhookSecret, sealed: bytes) -> str:
        return open_webhook_secret(self._control_key, kind, endpoint.public_id, sealed)


def message(claim: Claim, known: Events) -> bytes | None:
    """The body; None when its event is not there."""
    notice, in_postmarks_words = claim.notice, claim.endpoint.format is WebhookFormat.POSTMARK
    if notice.type is NoticeType.TEST:
        if in_postmarks_words:
            return postmark.body(NoticeType.DELIVERED, notice.occurred_at, postmark.TEST_EVENT)
        return payload.body(notice.type, notice.occurred_at, payload.TEST_EVENT)
    event: Mapping[str, Any] | None = known.get(notice.event_id)
    if event is None:
        return None
    if in_postmarks_words:
        return postmark.body(notice.type, notice.occurred_at, event)
    return payload.body(notice.type, notice.occurred_at, event, notice.change)
