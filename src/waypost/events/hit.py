"""What the edge knows of one answered request: the noun that crosses the spool."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class HitKind(StrEnum):
    """What the token was for."""

    CLICK = "click"
    OPEN = "open"


class Outcome(StrEnum):
    """How the request was answered, and so whether it may count."""

    ANSWERED = "answered"
    HEAD = "head"
    PREFETCH = "prefetch"


class Hit(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One request for a token that opened.

    The field names are the spool's wire format: never rename or reuse one. Unknown fields are skipped by readers.
    """

    event_id: UUID
    occurred_at: datetime
    """At the edge; aware, UTC."""
    edge: str
    kind: HitKind
    outcome: Outcome
    send_id: UUID | None = None
    """Absent in anonymous mode."""
    account: int
    profile: int
    link_index: int = 0
    destination: str = ""
    """Empty for an open."""
    link_domain: str
    client_address: str = ""
    """After the IP policy of the token; empty when the policy is none."""
    headers: dict[str, str] = {}
    """Lower-case names; only those that tell who reads: user-agent, accept, accept-language, purpose, sec-*, ..."""
