"""What an API key is made of."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from waypost.control.fields import Name, RequestModel
from waypost.control.permissions import may
from waypost.control.times import unix_seconds
from waypost.db.states import Role
from waypost.db.tables import ApiKey, AuthSession


class NewApiKey(RequestModel):
    """A key to be created."""

    name: Name
    role: Annotated[
        Role,
        Field(
            strict=False,
            description="What it may do. " + " ".join(f"`{role}`: {may(role)}." for role in Role),
        ),
    ]


class ApiKeyView(BaseModel):
    """A key, without its secret: nobody has that but its owner."""

    id: UUID
    name: str
    role: Role
    key: Annotated[str, Field(description="The user name of a login.")]
    is_password: Annotated[
        bool,
        Field(description="Its secret is the account's password; the account's address is a user name too."),
    ]
    created_at_utc: Annotated[int, Field(description="Unix seconds.")]
    last_used_at_utc: Annotated[
        int | None, Field(description="When an access token was last asked for with it. Unix seconds.")
    ]
    revoked_at_utc: Annotated[
        int | None, Field(description="Unix seconds. A key that is not used for 90 days is revoked by itself.")
    ]

    @classmethod
    def of(cls, row: ApiKey) -> "ApiKeyView":
        """As it is listed."""
        return cls(**_fields(row))


class CreatedApiKeyView(ApiKeyView):
    """A new key."""

    secret: Annotated[str, Field(repr=False, description="The password of a login. It cannot be shown again.")]

    @classmethod
    def created(cls, row: ApiKey, secret: str) -> "CreatedApiKeyView":
        """As it is shown, once."""
        return cls(**_fields(row), secret=secret)


class SessionState(StrEnum):
    """What a session's refresh token is worth."""

    ACTIVE = "active"
    SUPERSEDED = "superseded"
    """A later login ended it; access tokens it gave out live on until they expire."""
    REVOKED = "revoked"


class SessionView(BaseModel):
    """One login with a key."""

    id: UUID
    state: SessionState
    created_at_utc: Annotated[int, Field(description="Unix seconds.")]
    last_used_at_utc: Annotated[int, Field(description="When it last gave an access token. Unix seconds.")]
    expires_at_utc: Annotated[int, Field(description="When its refresh token ends. Unix seconds.")]

    @classmethod
    def of(cls, row: AuthSession) -> "SessionView":
        """As it is listed."""
        return cls(
            id=row.public_id,
            state=SessionState.REVOKED
            if row.revoked_at
            else SessionState.SUPERSEDED
            if row.superseded_at
            else SessionState.ACTIVE,
            created_at_utc=unix_seconds(row.created_at),
            last_used_at_utc=unix_seconds(row.last_used_at),
            expires_at_utc=unix_seconds(row.expires_at),
        )


def _fields(row: ApiKey) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "name": row.name,
        "role": row.role,
        "key": row.key,
        "is_password": row.is_password,
        "created_at_utc": unix_seconds(row.created_at),
        "last_used_at_utc": unix_seconds(row.last_used_at) if row.last_used_at else None,
        "revoked_at_utc": unix_seconds(row.revoked_at) if row.revoked_at else None,
    }
