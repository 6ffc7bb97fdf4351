"""What a sending profile is made of."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from waypost.control.fields import (
    DomainName,
    MailDomainName,
    Name,
    OptionalMailDomainName,
    OptionalWebUrl,
    RequestModel,
)
from waypost.control.times import unix_seconds
from waypost.control.verification.answers import RecordType
from waypost.control.verification.findings import RecordState
from waypost.control.verification.records import Purpose
from waypost.db.states import ProfileState
from waypost.db.tables import Profile


class NewProfile(RequestModel):
    """A sending profile to be created; its domains cannot be changed afterwards."""

    profile_name: Name
    sending_domain: Annotated[MailDomainName, Field(description="Domain of the From address.")]
    link_domain: Annotated[DomainName, Field(description="Domain that every tracked link is on.")]
    link_domain_default_redirect: Annotated[
        OptionalWebUrl | None, Field(description="Where a visit to the bare link domain leads to.")
    ] = None
    bounce_domain: Annotated[OptionalMailDomainName | None, Field(description="Domain of the Return-Path.")] = None


class RecordView(BaseModel):
    """A DNS record to publish, and what the last check saw of it."""

    name: Annotated[str, Field(description="Full, without final dot.")]
    type: RecordType
    value: Annotated[str, Field(description="Exactly as it is to be entered.")]
    validation_state: RecordState
    purpose: Annotated[Purpose, Field(description="Extension. What it is for.")]
    required: Annotated[
        bool, Field(description="Extension. Without it the profile is not `active`; else it is advice.")
    ]
    found: Annotated[list[str], Field(description="Extension. What stands there instead, or as well.")]
    hint: Annotated[str, Field(description="Extension. What to do about it; empty when there is nothing to do.")]


class LinkDomainCheck(BaseModel):
    """What HTTPS on the link domain, and the domain as a whole, lack."""

    state: RecordState
    found: list[str]
    hint: Annotated[str, Field(description="What to do about it; empty when there is nothing to do.")]


class ProfileView(BaseModel):
    """A sending profile."""

    profile_id: UUID
    profile_name: str
    sending_domain: str
    link_domain: str
    link_domain_default_redirect: Annotated[str, Field(description="Empty when there is none.")]
    bounce_domain: Annotated[str, Field(description="Empty when there is none.")]
    state: Annotated[ProfileState, Field(description="Only an `active` one sends.")]
    created_at_utc: Annotated[int, Field(description="Unix seconds.")]
    modified_at_utc: Annotated[int, Field(description="Unix seconds.")]

    @classmethod
    def of(cls, row: Profile) -> "ProfileView":
        """As it is listed."""
        return cls(**profile_fields(row))


class ProfileSetupView(ProfileView):
    """A sending profile with what it needs to become, and to stay, `active`."""

    dns_records: list[RecordView]
    link_domain_check: Annotated[LinkDomainCheck, Field(description="Extension.")]
    bounce_domain_hint: Annotated[
        str,
        Field(
            description="Extension. What the operator of this install has yet to set before more can be said of the "
            "bounce domain; empty when there is nothing."
        ),
    ]
    checked_at_utc: Annotated[int | None, Field(description="Extension. Unix seconds; null: not yet.")]
    next_check_at_utc: Annotated[
        int | None, Field(description="Extension. Unix seconds; null on a development domain, which is not checked.")
    ]


def profile_fields(row: Profile) -> dict[str, Any]:
    """The fields of `ProfileView`."""
    return {
        "profile_id": row.public_id,
        "profile_name": row.profile_name,
        "sending_domain": row.sending_domain,
        "link_domain": row.link_domain,
        "link_domain_default_redirect": row.link_domain_default_redirect,
        "bounce_domain": row.bounce_domain,
        "state": row.state,
        "created_at_utc": unix_seconds(row.created_at),
        "modified_at_utc": unix_seconds(row.modified_at),
    }
