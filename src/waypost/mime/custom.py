"""Header fields that a sender may add to a message."""

import re
from enum import StrEnum

from waypost.mime.header import MAX_FIELD_NAME

# RFC 5322, section 3.6.8.
_FIELD_NAME = re.compile(rf"[!-9;-~]{{1,{MAX_FIELD_NAME}}}")

FORBIDDEN_NAMES = frozenset(
    # Composed from the message's own fields, or set by us.
    {"from", "sender", "to", "cc", "reply-to", "subject", "date", "message-id", "mime-version"}
    # Addresses that no reader may see; some relays deliver to them.
    | {"bcc", "apparently-to"}
    # `list_unsubscribe` writes them, as RFC 8058 wants them.
    | {"list-unsubscribe", "list-unsubscribe-post"}
    # Signatures: one that is not ours fails, and speaks against the message.
    | {"dkim-signature", "domainkey-signature"}
    # Trace: relays and receivers write these, and believe them.
    | {"return-path", "received", "received-spf", "authentication-results", "delivered-to", "x-original-to"}
)
# MIME; trace of resending (RFC 5322, section 3.6.6); chains of authentication (RFC 8617).
FORBIDDEN_PREFIXES = ("content-", "resent-", "arc-")


class FieldNameProblem(StrEnum):
    """Why a field cannot be added."""

    MALFORMED = "malformed"
    """Not 1 to 76 printable ASCII characters without a colon."""
    RESERVED = "reserved"
    """On the closed list of those that only Waypost, a relay or a receiver sets."""


def field_name_problem(name: str) -> FieldNameProblem | None:
    """Why no field of this name can be added; None: it can."""
    if not _FIELD_NAME.fullmatch(name):
        return FieldNameProblem.MALFORMED
    lower = name.lower()
    if lower in FORBIDDEN_NAMES or lower.startswith(FORBIDDEN_PREFIXES):
        return FieldNameProblem.RESERVED
    return None
