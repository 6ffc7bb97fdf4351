"""From what visits to a link domain over HTTPS showed to a finding."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from waypost.control.verification.answers import Probe, ProbeOutcome, Reply
from waypost.control.verification.findings import Finding, RecordState
from waypost.control.verification.problems import SENTENCES, Problem
from waypost.control.verification.records import Purpose


@dataclass(frozen=True, slots=True)
class Caa:
    """What keeps the certificate authority from issuing: where it stands, and what."""

    at: str
    found: tuple[str, ...]


def forbidding(reply: Reply, authority: str) -> Caa | None:
    """Whether CAA records keep an authority from issuing a certificate for one name (RFC 8659, section 4.2).

    Args:
        reply: the nearest records upward, each as `flags tag "value"`.
        authority: its domain, as such records name it.
    """
    if not reply.values:
        return None
    properties = [value.split(None, 2) for value in reply.values]
    issuers = [value.strip('"').partition(";")[0].strip().lower() for _, tag, value in properties if tag == "issue"]
    critical = any(int(flags) & _CRITICAL and tag not in _KNOWN_TAGS for flags, tag, _ in properties)
    allowed = not critical and (not issuers or authority in issuers)
    return None if allowed else Caa(reply.path[-1], reply.values)


_CRITICAL: Final = 128
_KNOWN_TAGS: Final = frozenset({"issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail"})


def judge_visits(name: str, rounds: Sequence[Sequence[Probe]], caa: Caa | None, authority: str) -> Finding:
    """The finding about HTTPS on a link domain.

    Args:
        name: the link domain.
        rounds: visits to each of its addresses: once or, to be sure of a loss, twice.
        caa: what keeps the authority from issuing; None: nothing.
        authority: which one that is.
    """
    last = rounds[-1]
    bad = [probe for probe in last if probe.outcome in _BAD]
    proven = [probe for probe in last if probe.outcome is ProbeOutcome.PROVEN]
    if bad:
        probe = bad[0]
        sure = not proven and len(rounds) > 1 and all(_is_bad(visits) for visits in rounds)
        return _finding(name, _STATES[probe.outcome], *_told(probe, caa, authority), confirmed=sure)
    if proven:
        # A certificate is there; that the next one will not be had is worth a word.
        return _finding(name, RecordState.VALID, *(_caa(caa, authority) if caa else (None, {})))
    return _finding(name, RecordState.UNKNOWN, *_told(last[0], None, authority))


def not_visited(name: str, problem: Problem, **facts: object) -> Finding:
    """Why HTTPS was not tried."""
    return _finding(name, RecordState.UNKNOWN, problem, facts)


def managed_elsewhere() -> Finding:
    """HTTPS is not ours to look at."""
    return Finding(purpose=Purpose.TLS, state=RecordState.VALID, required=False)


_STATES: Final = {
    ProbeOutcome.NO_CERTIFICATE: RecordState.MISSING,
    ProbeOutcome.BAD_CERTIFICATE: RecordState.WRONG,
    ProbeOutcome.NOT_OURS: RecordState.WRONG,
}
_BAD: Final = frozenset(_STATES)
_PROBLEMS: Final = {
    ProbeOutcome.NO_CERTIFICATE: Problem.TLS_NONE,
    ProbeOutcome.BAD_CERTIFICATE: Problem.TLS_INVALID,
    ProbeOutcome.NOT_OURS: Problem.TLS_STRANGER,
    ProbeOutcome.UNREACHABLE: Problem.TLS_UNREACHABLE,
}


def _is_bad(visits: Sequence[Probe]) -> bool:
    return any(visit.outcome in _BAD for visit in visits)


def _told(probe: Probe, caa: Caa | None, authority: str) -> tuple[Problem, dict[str, object]]:
    if caa is not None and probe.outcome is ProbeOutcome.NO_CERTIFICATE:
        return _caa(caa, authority)
    return _PROBLEMS[probe.outcome], {"address": probe.address, "detail": probe.detail}


def _caa(caa: Caa, authority: str) -> tuple[Problem, dict[str, object]]:
    return Problem.TLS_CAA, {"at": caa.at, "found": ", ".join(caa.found), "authority": authority}


def _finding(
    name: str, state: RecordState, problem: Problem | None, facts: dict[str, object], *, confirmed: bool = False
) -> Finding:
    hint = SENTENCES[problem].format_map({"name": name, **facts}) if problem else ""
    return Finding(purpose=Purpose.TLS, state=state, required=True, problem=problem, hint=hint, confirmed=confirmed)
