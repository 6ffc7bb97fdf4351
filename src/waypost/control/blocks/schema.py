"""Blocks as the API has them."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from waypost.control.fields import Name, RequestModel, Text
from waypost.fleet.snapshot import BlockKind

MAX_VALUE_CHARACTERS = 8192
"""A tracked link is as long as its destination and half as much again."""


class NewBlock(RequestModel):
    """Something to switch off."""

    kind: Annotated[BlockKind, Field(strict=False)]
    value: Annotated[
        Text,
        Field(
            min_length=1,
            max_length=MAX_VALUE_CHARACTERS,
            description=(
                "`link`: a tracked link, or the URL it leads to. `send`: a send_id, but of no anonymous send, which "
                "its links do not name. `profile`: a profile_id. "
                "Operators only: `account`, an account_id; `host`, as `evil.example` or `*.evil.example` for its "
                "subdomains; `key`, the id of a link key, but not of the one that seals new links."
            ),
        ),
    ]
    reason: Name


class BlockBody(BaseModel):
    """Something that is switched off."""

    block_id: UUID
    kind: BlockKind
    value: Annotated[str, Field(description="For a link, the URL it leads to.")]
    reason: str
    created_by: str
    created_at_utc: int
