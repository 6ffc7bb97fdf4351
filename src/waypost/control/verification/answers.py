"""What was seen of a profile's domains, as values: by whom, and what exactly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class RecordType(StrEnum):
    """Types of DNS records that are asked for, or asked of whoever sets up a domain."""

    A = "A"
    AAAA = "AAAA"
    ALIAS = "ALIAS"
    """No type of DNS itself: what providers call, also ANAME, an apex that follows another name's addresses."""
    CAA = "CAA"
    CNAME = "CNAME"
    MX = "MX"
    TXT = "TXT"


class Outcome(StrEnum):
    """How a question to a name server ended."""

    FOUND = "found"
    NO_RECORD = "no_record"
    """The name is there, without a record of this type."""
    NO_NAME = "no_name"
    CIRCLE = "circle"
    """CNAME records lead back to a name that was passed."""
    TOO_LONG = "too_long"
    """More CNAME records one after the other than are followed."""
    FAILED = "failed"
    """No answer that says anything: timeout, SERVFAIL, refusal. It says nothing about the record."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What one server says of one name and type.

    Attributes:
        outcome: how it ended.
        path: the name asked for, then each CNAME's target; lower case, no final dot.
        values: of the records at the end of the path, as they would be typed in; a TXT record's strings joined.
        ttl_seconds: how long a cached answer will still be given.
        failure: what went wrong, for `FAILED`.
    """

    outcome: Outcome
    path: tuple[str, ...]
    values: tuple[str, ...] = ()
    ttl_seconds: int = 0
    failure: str = ""


Replies = Mapping[RecordType, Reply]


@dataclass(frozen=True, slots=True)
class View:
    """What one server says of everything that was asked about a record.

    Attributes:
        server: who it is, for people.
        authoritative: one of the zone's own name servers, whose answers are never old; else a resolver.
        replies: of the record's name.
        also: of the other name where it may stand instead.
    """

    server: str
    authoritative: bool
    replies: Replies
    also: Replies = field(default_factory=dict)


class ProbeOutcome(StrEnum):
    """How a visit to a link domain over HTTPS ended."""

    PROVEN = "proven"
    """A valid certificate, and one of our edges behind it."""
    UNREACHABLE = "unreachable"
    """No connection, or no answer in time."""
    NO_CERTIFICATE = "no_certificate"
    """The server ended the handshake: it has none for this name."""
    BAD_CERTIFICATE = "bad_certificate"
    """Expired, for another name, or of an unknown authority."""
    NOT_OURS = "not_ours"
    """A valid certificate, and somebody else behind it."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a visit to one address showed.

    Attributes:
        address: where it went.
        outcome: how it ended.
        detail: the error's words, or what the server calls itself.
    """

    address: str
    outcome: ProbeOutcome
    detail: str = ""
