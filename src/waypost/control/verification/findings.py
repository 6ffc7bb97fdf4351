"""What a check found out about each thing it looked at; kept, shown, and what a profile's state follows from."""

from collections.abc import Collection
from enum import StrEnum

import msgspec

from waypost.control.verification.problems import Problem
from waypost.control.verification.records import Purpose


class RecordState(StrEnum):
    """`validation_state` of a record in the API."""

    VALID = "valid"
    MISSING = "missing"
    WRONG = "wrong"
    """There is something, and it is not what is needed."""
    UNKNOWN = "unknown"
    """Not looked at yet, or nobody answered: it says nothing about the record."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one thing that a profile needs."""

    purpose: Purpose
    state: RecordState
    required: bool
    """Without it the profile is not active."""
    found: tuple[str, ...] = ()
    """What stands there instead or as well, as it would be typed in."""
    problem: Problem | None = None
    hint: str = ""
    """What to do, in a sentence or two; empty when there is nothing to do."""
    confirmed: bool = False
    """Two servers agree that it is not valid."""


class Verdict(StrEnum):
    """What a check says of a profile as a whole."""

    RIGHT = "right"
    """Everything it needs is there."""
    LOST = "lost"
    """Something is not, and two servers agree on that."""
    DOUBTFUL = "doubtful"
    """Something is not, as far as one can see."""
    UNKNOWN = "unknown"
    """Something could not be seen, and nothing seen was wrong."""


def verdict_of(findings: Collection[Finding]) -> Verdict:
    """Only what is required counts."""
    needed = [finding for finding in findings if finding.required and finding.state is not RecordState.VALID]
    bad = [finding for finding in needed if finding.state is not RecordState.UNKNOWN]
    if any(finding.confirmed for finding in bad):
        return Verdict.LOST
    if bad:
        return Verdict.DOUBTFUL
    return Verdict.UNKNOWN if needed else Verdict.RIGHT


def encode_findings(findings: Collection[Finding]) -> list[dict[str, object]]:
    """As they are kept."""
    encoded: list[dict[str, object]] = msgspec.to_builtins(list(findings))
    return encoded


def decode_findings(kept: list[dict[str, object]]) -> list[Finding]:
    """As `encode_findings` wrote them; those a later release has added are left out."""
    known = []
    for finding in kept:
        try:
            known.append(msgspec.convert(finding, Finding))
        except msgspec.ValidationError:
            continue
    return known
