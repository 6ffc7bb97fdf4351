"""What happened to a send, field by field."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from waypost.events.client import DeviceType, ImageProxy
from waypost.events.hit import Outcome
from waypost.events.name import EventName
from waypost.events.verdict import Reason, VerdictClass


class EventLink(BaseModel):
    """The link that a click followed."""

    index: int
    name: str
    url: str
    part: Annotated[str, Field(description="`html`, or `outlook`.")]


class SoftwareView(BaseModel):
    """A program or system; empty where unknown."""

    name: str
    version: str


class DeviceView(BaseModel):
    """What a reader holds in her hands; empty or `unknown` where unknown."""

    name: str
    type: DeviceType


class GeoView(BaseModel):
    """Where a reader's address is, as far as a database of addresses knows; empty or null where unknown.

    That of an image proxy, a VPN or a company's gateway is where that is, and not the reader.
    """

    country: Annotated[str, Field(description="ISO 3166-1 alpha-2: `GB`.")]
    region: Annotated[str, Field(description="Largest part of the country, in English: `England`.")]
    city: str
    latitude: Annotated[float | None, Field(description="Degrees, of the city or the country's middle.")]
    longitude: Annotated[float | None, Field(description="Degrees.")]
    time_zone: Annotated[str, Field(description="Name in the IANA database: `Europe/London`.")]


class VerdictView(BaseModel):
    """Who was behind a click or an open; `docs/verdicts.md` explains classes and reasons."""

    model_config = ConfigDict(populate_by_name=True)

    class_: Annotated[VerdictClass, Field(alias="class")]
    final: Annotated[bool, Field(description="False for about two minutes, while what happens next may change it.")]
    score: Annotated[int, Field(description="From -100, a person, to 100, a machine.")]
    reasons: Annotated[list[Reason], Field(description="What it rests on, the weightiest first.")]


class StoredEventView(BaseModel):
    """Something that happened, as it is exported."""

    event_id: Annotated[UUID, Field(description="One for each event: who gets it twice knows it by this.")]
    event: Annotated[EventName, Field(description="A state that the send reached, or `open` or `click`.")]
    send_id: Annotated[UUID | None, Field(description="Null in anonymous mode, with the fields that lead to a person.")]
    send_key: str | None
    sending_profile_id: UUID | None
    recipient_email_address: str | None
    tags: Annotated[list[str], Field(description="Of the send.")]
    occurred_at_utc: Annotated[int, Field(description="Unix seconds, at the edge that answered.")]
    detail: Annotated[str, Field(description="Of a state: the relay's words, or the reason.")]
    link: Annotated[EventLink | None, Field(description="Of a click.")]
    outcome: Annotated[
        Outcome | None,
        Field(description="Of a click or an open: how it was answered. `head` and `prefetch` are counted nowhere."),
    ]
    client: Annotated[SoftwareView | None, Field(description="Of a click or an open, like the fields below.")]
    image_proxy: Annotated[ImageProxy | None, Field(description="Who fetched the image in the reader's stead.")]
    os: SoftwareView | None
    device: DeviceView | None
    user_agent: Annotated[str | None, Field(description="As it was sent.")]
    geo: GeoView | None
    ip: Annotated[str | None, Field(description="After the IP policy of the link: whole, cut off, or empty.")]
    verdict: Annotated[VerdictView | None, Field(description="Null for states.")]


class EventView(StoredEventView):
    """Something that happened to a send."""

    first_for_link: Annotated[
        bool | None,
        Field(description="Whether it is the first click on this link of the send; null for all but clicks."),
    ]
    first_for_send: Annotated[
        bool | None,
        Field(
            description="Whether it is the first click, or the first open, of the send; null for states. HEAD and "
            "prefetch are never first, machines may be. A click that arrives late may take the place of another."
        ),
    ]
