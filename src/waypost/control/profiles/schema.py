"""What a sending profile is made of."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from waypost.control.fields import DomainName, Name, OptionalDomainName, OptionalWebUrl, RequestModel
from waypost.control.times import unix_seconds
from waypost.db.states import ProfileState
from waypost.db.tables import Profile


class NewProfile(RequestModel):
    """A sending profile to be created; its domains cannot be changed afterwards."""

    profile_name: Name
    sending_domain: Annotated[DomainName, Field(description="Domain of the From address.")]
    link_domain: Annotated[DomainName, Field(description="Domain that every tracked link is on.")]
    link_domain_default_redirect: Annotated[
        OptionalWebUrl | None, Field(description="Where a visit to the bare link domain leads to.")
    ] = None
    bounce_domain: Annotated[OptionalDomainName | None, Field(description="Domain of the Return-Path.")] = None


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
        return cls(
            profile_id=row.public_id,
            profile_name=row.profile_name,
            sending_domain=row.sending_domain,
            link_domain=row.link_domain,
            link_domain_default_redirect=row.link_domain_default_redirect,
            bounce_domain=row.bounce_domain,
            state=row.state,
            created_at_utc=unix_seconds(row.created_at),
            modified_at_utc=unix_seconds(row.modified_at),
        )
