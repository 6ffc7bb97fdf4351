"""The rewrite report, and the dry run that answers it."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from waypost.control.fields import EmailAddress, RequestModel, Text
from waypost.control.sends.extras import NewUnsubscribe
from waypost.links import Decision, Part, Reason


class ReportedLink(BaseModel):
    """What was decided about one link of a message."""

    index: Annotated[int, Field(description="From 0, in source order. A link and its twins for Outlook share one.")]
    part: Annotated[Part, Field(description="`outlook`: in a conditional comment for Outlook.")]
    destination: Annotated[str, Field(description="Decoded from the attribute, without white space around it.")]
    decision: Decision
    reason: Annotated[Reason | None, Field(description="Why it was skipped; null when it is tracked.")]
    name: str | None
    tags: list[str]
    text: Annotated[str, Field(description="What the reader sees of it.")]
    start: Annotated[int, Field(description="Of the value in `content_html`, quotes not included, in characters.")]
    end: Annotated[int, Field(description="Of the value, in characters.")]


class ReportedSize(BaseModel):
    """How large the HTML part will be as it is sent: an estimate, since each link is sealed at delivery."""

    content_bytes: Annotated[int, Field(description="As UTF-8.")]
    encoded_bytes: Annotated[int, Field(description="As it travels in the mail.")]
    clipped_by_gmail: bool


class RewriteReport(BaseModel):
    """Extension: which links of a message are tracked, and why the others are not."""

    tracked: int
    skipped: int
    links: list[ReportedLink]
    size: Annotated[ReportedSize | None, Field(description="Null when the rewriting failed.")] = None
    error: Annotated[str | None, Field(description="Why nothing is tracked, when the rewriting failed.")] = None


class PreviewRequest(RequestModel):
    """A message to look at without sending it."""

    from_email_address: EmailAddress
    content_html: Text
    list_unsubscribe: Annotated[NewUnsubscribe | None, Field(description="Its URL is not tracked.")] = None


class Preview(BaseModel):
    """What would be tracked. It holds no tracked link: none that opens leaves before an approved account sends it."""

    sending_profile_id: UUID
    link_domain: str
    link_report: RewriteReport
