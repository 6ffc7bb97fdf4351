"""Webhook endpoints, messages and attempts as the API has them."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from waypost.control.fields import RequestModel, Text, single_line
from waypost.control.times import unix_seconds
from waypost.db.states import AttemptOutcome, EndpointState, NoticeState, WebhookFormat, WebhookTiming
from waypost.db.tables import WebhookAttempt, WebhookEndpoint, WebhookNotice
from waypost.events.notice import NoticeType
from waypost.webhooks.queue import REPLAYED_MAX
from waypost.webhooks.target import MAX_URL_CHARACTERS

SUBSCRIBABLE = tuple(type_ for type_ in NoticeType if type_ is not NoticeType.TEST)
MAX_OVERLAP_SECONDS = 7 * 86_400
"""Two secrets are live for a week at most: a leaked one has to end."""


def _each_once(events: list[NoticeType]) -> list[NoticeType]:
    if NoticeType.TEST in events:
        raise PydanticCustomError("test", "must not hold test: a test is sent when it is asked for")
    return list(dict.fromkeys(events))


Url = Annotated[
    Text,
    Field(
        max_length=MAX_URL_CHARACTERS,
        description="https, a host of the Internet. Where the operator's setting `webhooks.private_networks` allows "
        "it, `http://127.0.0.1:9000/…` too. `https://name:password@host/…` logs in with basic authentication; both "
        "are kept sealed and never shown again.",
    ),
]
Events = Annotated[
    list[Annotated[NoticeType, Field(strict=False)]],
    Field(min_length=1, description="What it is told of."),
    AfterValidator(_each_once),
]
Description = Annotated[str, Field(max_length=256), AfterValidator(single_line)]
When = Annotated[
    WebhookTiming,
    Field(
        strict=False,
        description="Of clicks and opens: `immediate`, with a verdict that may change, or `after_verdict`, about two "
        "minutes later.",
    ),
]
Format = Annotated[
    WebhookFormat,
    Field(
        strict=False,
        description="`postmark`: in the words of Postmark's webhooks, for consumers that are there already. It has "
        "`delivered`, `bounce`, `open` and `click`.",
    ),
]


class NewEndpoint(RequestModel):
    """An endpoint to be told."""

    url: Url
    events: Annotated[Events | None, Field(description="What it is told of; by default, all that the format has.")] = (
        None
    )
    description: Description = ""
    format: Format = WebhookFormat.WAYPOST
    when: When = WebhookTiming.IMMEDIATE


class ChangedEndpoint(RequestModel):
    """What is to be different; what is absent stays as it is."""

    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    when: When | None = None
    state: Annotated[
        EndpointState | None,
        Field(
            strict=False,
            description="`disabled`: nothing is noted and nothing is sent. `enabled`: what waited goes out.",
        ),
    ] = None


class RotatedSecret(RequestModel):
    """How a secret is replaced."""

    overlap_seconds: Annotated[
        int, Field(ge=0, le=MAX_OVERLAP_SECONDS, description="How long the one before signs as well.")
    ] = 86_400


_UnixSeconds = Annotated[int, Field(ge=31_536_000, le=7_258_118_400)]


class ReplayedPeriod(RequestModel):
    """Which failed messages are sent again, by when what they tell of happened."""

    from_utc: Annotated[_UnixSeconds, Field(description="Unix seconds, of `occurred_at_utc`.")]
    to_utc: Annotated[
        _UnixSeconds | None,
        Field(description="Unix seconds; what happened then or later is left alone. Default: now."),
    ] = None


class ReplayedView(BaseModel):
    """What is sent again."""

    replayed: Annotated[int, Field(description="Messages, under the same `webhook-id`, each with all its retries.")]
    more: Annotated[bool, Field(description=f"There may be more: {REPLAYED_MAX:,} are taken at once. Ask again.")]


class EndpointView(BaseModel):
    """An endpoint."""

    endpoint_id: UUID
    url: Annotated[str, Field(description="Without name and password.")]
    has_credentials: Annotated[bool, Field(description="It logs in with basic authentication.")]
    events: list[NoticeType]
    description: str
    format: WebhookFormat
    when: WebhookTiming
    state: EndpointState
    disabled_reason: Annotated[str | None, Field(description="Why it is disabled, when it did not ask for that.")]
    disabled_at_utc: Annotated[int | None, Field(description="Unix seconds.")]
    owner_told_at_utc: Annotated[
        int | None, Field(description="Unix seconds: when the account's owner was last sent mail about that.")
    ]
    failing_since_utc: Annotated[
        int | None, Field(description="Unix seconds; null while it takes what it is given. After five days: disabled.")
    ]
    succeeded_at_utc: Annotated[int | None, Field(description="Unix seconds, to the minute; null: never.")]
    previous_secret_until_utc: Annotated[
        int | None, Field(description="Unix seconds. Until then the secret before signs as well.")
    ]
    created_at_utc: Annotated[int, Field(description="Unix seconds.")]
    modified_at_utc: Annotated[int, Field(description="Unix seconds.")]

    @classmethod
    def of(cls, row: WebhookEndpoint) -> "EndpointView":
        """As it is listed."""
        return cls(
            endpoint_id=row.public_id,
            url=row.url,
            has_credentials=row.sealed_credentials is not None,
            events=[NoticeType(each) for each in row.events],
            description=row.description,
            format=row.format,
            when=row.timing,
            state=row.state,
            disabled_reason=row.disabled_reason,
            disabled_at_utc=unix_seconds(row.disabled_at) if row.disabled_at else None,
            owner_told_at_utc=unix_seconds(row.owner_told_at) if row.owner_told_at else None,
            failing_since_utc=unix_seconds(row.failing_since) if row.failing_since else None,
            succeeded_at_utc=unix_seconds(row.succeeded_at) if row.succeeded_at else None,
            previous_secret_until_utc=unix_seconds(row.previous_secret_until) if row.previous_secret_until else None,
            created_at_utc=unix_seconds(row.created_at),
            modified_at_utc=unix_seconds(row.modified_at),
        )


class EndpointSecretView(EndpointView):
    """An endpoint with its secret, which is shown here and never again."""

    secret: Annotated[str, Field(description="`whsec_…`: what its messages are signed with.")]

    @classmethod
    def with_secret(cls, row: WebhookEndpoint, secret: str) -> "EndpointSecretView":
        """As it is answered when the secret is made."""
        return cls(**EndpointView.of(row).model_dump(), secret=secret)


class AttemptView(BaseModel):
    """One try to deliver a message."""

    started_at_utc: Annotated[int, Field(description="Unix seconds.")]
    duration_ms: int
    outcome: AttemptOutcome
    status: Annotated[int | None, Field(description="Of the answer; null when there was none.")]
    error: Annotated[str, Field(description="One sentence; empty when it went well.")]
    answer: Annotated[str, Field(description="The first 1,024 bytes of the answer's body.")]

    @classmethod
    def of(cls, row: WebhookAttempt) -> "AttemptView":
        """As it is listed."""
        return cls(
            started_at_utc=unix_seconds(row.started_at),
            duration_ms=row.duration_ms,
            outcome=row.outcome,
            status=row.status,
            error=row.error,
            answer=row.answer,
        )


class MessageView(BaseModel):
    """What an endpoint is told, and how far that has come."""

    message_id: Annotated[UUID, Field(description="The header `webhook-id` of every attempt.")]
    type: NoticeType
    event_id: Annotated[UUID | None, Field(description="Null for a test.")]
    send_id: Annotated[UUID | None, Field(description="Null for a test.")]
    state: NoticeState
    next_attempt_at_utc: Annotated[int | None, Field(description="Unix seconds; null when there is none.")]
    occurred_at_utc: Annotated[int, Field(description="Unix seconds.")]
    created_at_utc: Annotated[int, Field(description="Unix seconds.")]
    attempts: Annotated[list[AttemptView], Field(description="Oldest first.")]

    @classmethod
    def of(cls, row: WebhookNotice, attempts: list[WebhookAttempt]) -> "MessageView":
        """As it is listed."""
        return cls(
            message_id=row.message_id,
            type=row.type,
            event_id=None if row.send_id is None else row.event_id,
            send_id=row.send_id,
            state=row.state,
            next_attempt_at_utc=unix_seconds(row.next_attempt_at) if row.state is NoticeState.PENDING else None,
            occurred_at_utc=unix_seconds(row.occurred_at),
            created_at_utc=unix_seconds(row.created_at),
            attempts=[AttemptView.of(attempt) for attempt in attempts],
        )
