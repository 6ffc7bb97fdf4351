"""What the edge knows of one answered request: the noun that crosses the spool."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from waypost.links.token import Privacy


class HitKind(StrEnum):
    """What the token was for."""

    CLICK = "click"
    OPEN = "open"


class Outcome(StrEnum):
    """How the request was answered, and so whether it may count."""

    ANSWERED = "answered"
    HEAD = "head"
    PREFETCH = "prefetch"
    BLOCKED = "blocked"
    """Refused with 410: the link, or what it belongs to, is switched off."""


def without_query(destination: str) -> str:
    """Where a link leads, without what may hold the address of whom it was sent to."""
    return destination.partition("#")[0].partition("?")[0]


class Hit(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One request for a token that opened.

    The field names are the spool's wire format: never rename or reuse one, and never change a default, because fields
    that have it are not written. Unknown fields are skipped by readers.
    """

    event_id: UUID
    occurred_at: datetime
    """At the edge; aware, UTC."""
    edge: str
    kind: HitKind
    outcome: Outcome
    method: str = "GET"
    """GET or HEAD; a prefetch may be either."""
    send_id: UUID | None = None
    """Absent in anonymous mode."""
    privacy: Privacy = Privacy.IDENTIFIED
    """What the token allows: a pseudonymous send id must not be resolved to an address."""
    account: int
    profile: int
    link_index: int = 0
    destination: str = ""
    """Empty for an open."""
    link_domain: str
    client_address: str = ""
    """After the IP policy of the token: whole, its /24 or /48 network, or empty. An IPv4 address mapped into IPv6 is
    written as IPv4."""
    headers: dict[str, str] = {}
    """Lower-case names; only those that tell who reads, each capped: the table is `KEPT_HEADERS` in `edge.decide`."""
