"""What the rules are given of a send and its hits, and what they answer."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from msgspec import Struct

from waypost.events.client import UNKNOWN, Client
from waypost.events.hit import Hit, HitKind, Outcome
from waypost.events.verdict.reason import Reason

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class VerdictClass(StrEnum):
    """Who was behind a hit."""

    HUMAN = "human"
    MACHINE = "machine"
    UNKNOWN = "unknown"
    """There are signs of a machine, and not enough of them."""


class Evidence(Struct, frozen=True, kw_only=True, gc=False):
    """One hit, as far as the spool and the event store keep it and enrichment adds to it."""

    event_id: UUID
    kind: HitKind
    outcome: Outcome
    occurred_at: datetime
    """At the edge; aware, UTC."""
    link_index: int = 0
    destination: str = ""
    client_address: str = ""
    """After the IP policy: whole, a network, or empty."""
    headers: Mapping[str, str] = _NO_HEADERS
    """Lower-case names, `user-agent` among them."""
    client: Client = UNKNOWN
    as_organisation: str = ""
    """Who routes the address; empty when nobody knows."""
    recipients_at_once: int = 1
    """Sends that the same client hit around the same time: `crowd.recipients_at_once` counts them."""


class SendFacts(Struct, frozen=True, gc=False):
    """What is known of the send that the hits belong to."""

    delivered_at: datetime | None = None
    """When the relay took it; None when that is not known (anymore, or yet)."""
    links: int = 0
    """Tracked links of the message; 0 when that is not known."""
    secure: bool = True
    """Its link domain is reached over HTTPS, as that of every tracked link is but on `localhost`."""


class Verdict(Struct, frozen=True, kw_only=True, gc=False):
    """What the rules say of one hit."""

    verdict_class: VerdictClass
    score: int
    """From -100, a person, to 100, a machine."""
    reasons: tuple[Reason, ...]
    """At least one; the weightiest first."""
    final: bool
    """Nothing that happens later changes it. Hits that are stored late, or new rules, may."""
    rules_version: int


def evidence_of(hit: Hit, client: Client, as_organisation: str = "", recipients_at_once: int = 1) -> Evidence:
    """The evidence of a hit on its way in, with what enrichment found."""
    return Evidence(
        event_id=hit.event_id,
        kind=hit.kind,
        outcome=hit.outcome,
        occurred_at=hit.occurred_at,
        link_index=hit.link_index,
        destination=hit.destination,
        client_address=hit.client_address,
        headers=hit.headers,
        client=client,
        as_organisation=as_organisation,
        recipients_at_once=recipients_at_once,
    )
