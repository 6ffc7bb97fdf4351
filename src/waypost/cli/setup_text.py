"""A profile's set-up as text: what to publish, what is there, what to do."""

import textwrap
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from waypost.cli.printable import one_line
from waypost.control.profiles.setup import Setup, SetupRecord
from waypost.control.verification.findings import RecordState
from waypost.control.verification.problems import Problem

_HINT_CHARACTERS: Final = 110
_INDENT: Final = " " * 9
"""Under the column of names, beside that of states."""


def setup_text(setup: Setup) -> str:
    """All of it. Each value stands alone on its line, to be copied."""
    return "\n".join([*_head(setup), "", *records_text(setup), *_link_domain(setup)])


def waits_for_operator(setup: Setup) -> list[str]:
    """What the operator has yet to set for the profile; no lines for nothing."""
    edges = setup.link_domain.hint if setup.link_domain.problem is Problem.EDGE_HOST_UNSET else ""
    return [hint for hint in (edges, setup.bounce_domain_hint) if hint]


def records_text(setup: Setup) -> list[str]:
    """The records, each with its value, its state, and what to do about it."""
    lines = []
    for record in setup.records:
        lines += [*_record(record), ""]
    return lines


def summary(setup: Setup) -> str:
    """One line: the state, and what is not there yet."""
    lacking = [record.name for record in setup.records if record.required and record.validation_state != "valid"]
    if setup.link_domain.state is not RecordState.VALID:
        lacking.append(f"HTTPS on {setup.profile.link_domain}")
    return f"It is {setup.profile.state}" + (f"; not valid yet: {', '.join(lacking)}." if lacking else ".")


def _head(setup: Setup) -> Iterator[str]:
    profile = setup.profile
    yield f"{one_line(profile.profile_name)}: {profile.state}"
    yield f"  id              {profile.public_id}"
    yield f"  sending domain  {profile.sending_domain}"
    yield f"  link domain     {profile.link_domain}"
    if profile.bounce_domain:
        yield f"  bounce domain   {profile.bounce_domain}"
    yield f"  looked at       {_when(setup.checked_at) if setup.checked_at else 'not yet'}"
    if setup.next_check_at:
        yield f"  next look       {_when(setup.next_check_at)}"


def _seen(state: RecordState, hint: str) -> str:
    """The state. What was looked at and is unknown all the same has a hint that says why."""
    return "not looked at yet" if state is RecordState.UNKNOWN and not hint else state


def _record(record: SetupRecord) -> Iterator[str]:
    advice = "" if record.required else ", advice"
    yield f"{_seen(record.validation_state, record.hint):<7}  {record.type} {record.name}  ({record.purpose}{advice})"
    yield f"{_INDENT}{record.value}"
    for found in record.found:
        yield f"{_INDENT}found: {one_line(found)}"
    yield from _hint(record.hint)


def _link_domain(setup: Setup) -> Iterator[str]:
    yield f"{_seen(setup.link_domain.state, setup.link_domain.hint):<7}  HTTPS on {setup.profile.link_domain}"
    yield from _hint(setup.link_domain.hint)
    if setup.bounce_domain_hint:
        yield f"{RecordState.UNKNOWN:<8} bounces to {setup.profile.bounce_domain}"
        yield from _hint(setup.bounce_domain_hint)


def _hint(hint: str) -> list[str]:
    wrapped = textwrap.wrap(one_line(hint), _HINT_CHARACTERS, break_long_words=False, break_on_hyphens=False)
    return [f"{_INDENT}{line}" for line in wrapped]


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
