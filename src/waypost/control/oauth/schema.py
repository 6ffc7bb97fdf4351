"""The bodies of the token routes."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from waypost.control.fields import RequestModel
from waypost.db.states import AccountState, Role


class RefreshToken(RequestModel):
    """Which session to continue, or to end."""

    refresh_token: Annotated[str, Field(max_length=256, repr=False)]


class RefreshGrant(RequestModel):
    """The body of a token request; a password grant needs none."""

    refresh_token: Annotated[str | None, Field(max_length=256, repr=False)] = None


class Token(BaseModel):
    """A granted access token."""

    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the kind of token, not one
    access_token: Annotated[str, Field(repr=False)]
    refresh_token: Annotated[str, Field(repr=False)]
    expires_in: Annotated[int, Field(description="Seconds.")]
    expires_at: Annotated[int, Field(description="Unix milliseconds.")]
    scope: list[str]
    Scope: Annotated[list[str], Field(description="The same as `scope`; SMTPD's clients read either.")]


class Revoked(BaseModel):
    """The refresh token does not work, now or ever: that it did once is not said (RFC 7009, section 2.2)."""

    revoked: Literal[True] = True


class Validity(BaseModel):
    """The access token is good until then."""

    valid: Literal[True] = True
    expires_at: Annotated[int, Field(description="Unix milliseconds.")]


class KeyOfMe(BaseModel):
    """The API key behind an access token."""

    id: UUID
    name: str
    role: Role


class Me(BaseModel):
    """Whom an access token stands for."""

    account_id: UUID
    name: str
    email: str
    state: AccountState
    state_reason: Annotated[str | None, Field(description="Why the account is rejected or suspended.")] = None
    is_account_verified: bool
    api_key: KeyOfMe
    scope: list[str]
