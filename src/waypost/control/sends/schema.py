"""What is sent, and how it is answered."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema, WrapValidator, model_validator
from pydantic_core import PydanticCustomError

from waypost.control.fields import (
    MAX_TAGS,
    DisplayName,
    EmailAddress,
    OptionalEmailAddress,
    RequestModel,
    Subject,
    Tag,
    Text,
)
from waypost.control.links.schema import RewriteReport
from waypost.control.responses import ErrorBody
from waypost.control.sends.extras import Attachments, Headers, NewUnsubscribe
from waypost.db.states import PrivacyMode, SendState
from waypost.links.token import IpPolicy

# A message for as many fits into one request with 10 KB of tags for each.
MAX_RECIPIENTS = 1000
MAX_COPIES = 50
"""Many relays take as many recipients of one message. With the longest names and addresses Cc stays under 64 KB."""

_CLICK_TRACKING: Mapping[object, bool] = MappingProxyType({"none": False, "click_tracking": True})


def _click_tracking(value: object) -> bool:
    """Both of SMTPD's spellings: its clients send a boolean, its user guide names two values."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in _CLICK_TRACKING:
        raise PydanticCustomError("click_tracking", 'must be true, false, "none" or "click_tracking"')
    return _CLICK_TRACKING[value]


ClickTracking = Annotated[
    bool,
    BeforeValidator(_click_tracking),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string", "enum": list(_CLICK_TRACKING)}]}),
]


def _absent(value: object) -> bool:
    return value is None


def _untrue(value: object) -> bool:
    return value is False


_PRIVACY_MODE = (
    "Extension. `identified`: clicks and opens lead to the recipient. `pseudonymous`: they tell readers apart, and "
    "lead to no address. `anonymous`: they tell nothing of who. `off`: nothing is tracked, for want of consent. "
    "Without it, the more general one: that of the message, then that of the account."
)
_IP_POLICY = (
    "Extension. What is kept of readers' addresses: `full`, `truncated` (/24 or /48) or `none`. Without it, the more "
    "general one and, where there is none, `full` when identified and `truncated` otherwise."
)
OptionalPrivacyMode = Annotated[Annotated[PrivacyMode, Field(strict=False)] | None, Field(description=_PRIVACY_MODE)]
OptionalIpPolicy = Annotated[Annotated[IpPolicy, Field(strict=False)] | None, Field(description=_IP_POLICY)]


class Message(RequestModel):
    """What every recipient of a message gets."""

    from_email_address: Annotated[EmailAddress, Field(description="Its domain selects the sending profile.")]
    from_name: DisplayName | None = None
    reply_to: OptionalEmailAddress | None = None
    subject: Subject | None = None
    content_html: Annotated[Text | None, Field(description="Any text: malformed HTML is accepted as it is.")] = None
    content_text: Annotated[Text | None, Field(description="Sent exactly as it is.")] = None
    open_tracking: bool = False
    click_tracking: ClickTracking = False
    attachments: Attachments | None = None
    headers: Headers | None = None
    list_unsubscribe: Annotated[NewUnsubscribe | None, Field(description="Extension.")] = None
    privacy_mode: OptionalPrivacyMode = None
    ip_policy: OptionalIpPolicy = None

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if not self.content_html and not self.content_text:
            raise PydanticCustomError("no_content", "content_html or content_text must hold something")
        return self

    @model_validator(mode="after")
    def _shows_inline_attachments(self) -> Self:
        ids = [file.content_id for file in self.attachments or () if file.content_id is not None]
        if ids and not self.content_html:
            raise PydanticCustomError("not_shown", "attachments with a content_id need content_html, which shows them")
        if len(set(ids)) < len(ids):
            raise PydanticCustomError("same_content_id", "attachments must not have the same content_id")
        return self


class Addressee(RequestModel):
    """An address, and the name shown beside it."""

    recipient_email_address: EmailAddress
    recipient_name: DisplayName | None = None


class NewRecipient(Addressee):
    """Who gets it."""

    tags: Annotated[list[Tag], Field(max_length=MAX_TAGS)] | None = None
    privacy_mode: OptionalPrivacyMode = None
    ip_policy: OptionalIpPolicy = None


class NewSend(NewRecipient, Message):
    """A message to one recipient, and perhaps copies of it."""

    cc: Annotated[
        list[Addressee] | None,
        Field(description="Extension. Each gets a send of its own, with links of its own; all see To and Cc."),
    ] = None
    bcc: Annotated[
        list[Addressee] | None, Field(description="Extension. The same, but nobody sees who else gets it.")
    ] = None

    @model_validator(mode="after")
    def _copies(self) -> Self:
        copies = [*(self.cc or ()), *(self.bcc or ())]
        if len(copies) > MAX_COPIES:
            raise PydanticCustomError("copies", "cc and bcc must have at most {most} in all", {"most": MAX_COPIES})
        addresses = [each.recipient_email_address.casefold() for each in (self, *copies)]
        if len(set(addresses)) < len(addresses):
            raise PydanticCustomError("copy_twice", "cc and bcc must not hold an address twice, nor the recipient's")
        return self


# Checked one by one when the batch is taken in: a wrong one must not keep the others from their mail.
_NewRecipientUnchecked = Annotated[NewRecipient, WrapValidator(lambda value, _check: value)]


class NewBatch(Message):
    """One message to many recipients."""

    recipients: Annotated[
        list[_NewRecipientUnchecked],
        Field(
            min_length=1,
            max_length=MAX_RECIPIENTS,
            description="Each gets a message of its own, with links of its own. One that breaks a rule is refused, and "
            "the others are sent to.",
        ),
    ]

    @model_validator(mode="before")
    @classmethod
    def _has_no_copies(cls, data: Any) -> Any:  # noqa: ANN401 - any JSON
        """Other fields that are not known are ignored; here somebody would wait for mail that never comes."""
        if isinstance(data, dict) and (data.get("cc") or data.get("bcc")):
            raise PydanticCustomError("batch_copies", "cc and bcc are of a single send: name everybody in recipients")
        return data


class DeliveryView(BaseModel):
    """A delivery that has to be tried again, or is held."""

    attempts: Annotated[int, Field(description="Made so far, not counting those that met no usable relay.")]
    last_error: Annotated[str, Field(description="What the last one met, or why the message is held.")]
    next_attempt_at_utc: Annotated[int, Field(description="Unix seconds.")]


class CopyKind(StrEnum):
    """Whether the others see who gets it."""

    CC = "cc"
    BCC = "bcc"


class CopyView(BaseModel):
    """A copy of a send: a send of its own."""

    kind: CopyKind
    recipient_email_address: str
    send_id: UUID
    send_key: str


class ClicksView(BaseModel):
    """Clicks of a send. HEAD and prefetch are not counted."""

    total: Annotated[int, Field(description="All: human, machine and unknown together.")]
    human: int
    machine: int
    unknown: int
    first_at_utc: Annotated[int | None, Field(description="Unix seconds, of the first one of all. Null: none yet.")]
    first_human_at_utc: Annotated[int | None, Field(description="Unix seconds, of the first one by a person.")]


class SendView(BaseModel):
    """A send."""

    send_id: UUID
    send_key: Annotated[str, Field(description="KSUID, 27 characters.")]
    sending_profile_id: UUID
    from_email_address: str
    from_name: str
    reply_to: str
    recipient_email_address: str
    recipient_name: str
    subject: str
    open_tracking: bool
    click_tracking: bool
    privacy_mode: Annotated[PrivacyMode, Field(description="Extension.")]
    ip_policy: Annotated[IpPolicy, Field(description="Extension.")]
    tags: list[str]
    state: SendState
    state_category: SendState
    error: Annotated[
        str | None,
        Field(description="One sentence: why it bounced or was rejected, or why it is untracked.", exclude_if=_absent),
    ] = None
    created_at_utc: Annotated[int, Field(description="Unix seconds.")]
    modified_at_utc: Annotated[int, Field(description="Unix seconds.")]
    delivery: Annotated[
        DeliveryView | None,
        Field(description="Extension. Only while the message waits for another attempt.", exclude_if=_absent),
    ] = None
    copies: Annotated[
        list[CopyView] | None,
        Field(
            description="Extension. One for each of `cc`, then of `bcc`, in their order; only in the answer to the "
            "request that had them.",
            exclude_if=_absent,
        ),
    ] = None
    link_report: Annotated[
        RewriteReport | None,
        Field(
            description="Extension. Absent without click tracking, once it is not kept any more, and in lists.",
            exclude_if=_absent,
        ),
    ] = None
    content_expired: Annotated[
        bool,
        Field(
            description="Extension. True once content and link report are not kept any more; absent before.",
            exclude_if=_untrue,
        ),
    ] = False
    clicks: Annotated[
        ClicksView | None,
        Field(
            description="Extension. Absent when the event store cannot say within a second, and just after sending.",
            exclude_if=_absent,
        ),
    ] = None


class BatchRecipient(BaseModel):
    """What became of one recipient of a batch."""

    index: Annotated[int, Field(description="In `recipients` of the request, from 0.")]
    recipient_email_address: Annotated[str | None, Field(description="Null when it was not a text.")]
    state: Annotated[Literal["accepted", "refused"], Field(description="`refused`: nothing of it is kept.")]
    send_id: Annotated[UUID | None, Field(description="Of an accepted one.", exclude_if=_absent)] = None
    send_key: Annotated[str | None, Field(description="Of an accepted one.", exclude_if=_absent)] = None
    error: Annotated[ErrorBody | None, Field(description="Of a refused one.", exclude_if=_absent)] = None


class BatchView(BaseModel):
    """What became of a batch."""

    sending_profile_id: UUID
    accepted: Annotated[int, Field(description="How many recipients.")]
    refused: Annotated[int, Field(description="How many recipients.")]
    recipients: Annotated[list[BatchRecipient], Field(description="In the order of the request.")]
    link_report: Annotated[
        RewriteReport | None, Field(description="The same for all. Absent without click tracking.", exclude_if=_absent)
    ] = None
    error: Annotated[
        str | None, Field(description="One sentence: why all of it goes out untracked.", exclude_if=_absent)
    ] = None
    created_at_utc: Annotated[int, Field(description="Unix seconds.")]
