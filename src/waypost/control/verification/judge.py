"""From what servers said of a record to a finding: what state it is in, and the sentence that says what to do.

Each server's view is judged alone, by the rule of the record's purpose; then the views are put together. Everything
here is a value: the checks that need a network are in `resolve` and `probe`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from waypost.control.verification.answers import Outcome, RecordType, Replies, Reply, View
from waypost.control.verification.dkim_tags import key_problem
from waypost.control.verification.findings import Finding, RecordState
from waypost.control.verification.message import MAX_CNAMES
from waypost.control.verification.problems import SENTENCES, Problem
from waypost.control.verification.records import Expected, Names, Purpose
from waypost.control.verification.text import as_entered

_CONFIRMING: Final = 2


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that was found out about one record.

    Attributes:
        views: of each server that was asked.
        doubled: a name with the zone's name twice, when the record stands there instead.
        zone: which name is doubled in it.
    """

    views: Sequence[View]
    doubled: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """One server's view of a record."""

    state: RecordState
    found: tuple[str, ...] = ()
    problem: Problem | None = None
    facts: Mapping[str, object] = field(default_factory=dict)


def judge(expected: Expected, seen: Seen, names: Names) -> Finding:
    """The finding about a record.

    Args:
        expected: what is to stand there.
        seen: what was seen.
        names: of this install, `edge_addresses` complete: those that its host leads to included.
    """
    judged = [(view, _judge_view(expected, view, names)) for view in seen.views]
    known = [(view, one) for view, one in judged if one.state is not RecordState.UNKNOWN]
    if not known:
        return _unknown(expected, judged)
    bad = [(view, one) for view, one in known if one.state is not RecordState.VALID]
    if not bad:
        return _finding(expected, known[0][1])
    good = [(view, one) for view, one in known if one.state is RecordState.VALID]
    view, worst = bad[0]
    if good:
        return _disagreement(expected, good, view, worst)
    problem, facts = worst.problem, worst.facts
    if seen.doubled and problem is Problem.NOT_THERE:
        short = expected.name.removesuffix(f".{seen.zone}")
        problem, facts = Problem.DOUBLED_NAME, {"doubled": seen.doubled, "zone": seen.zone, "short": short}
    after = _still_cached(view) if not view.authoritative else ""
    whole = Judged(worst.state, worst.found, problem, facts)
    return _finding(expected, whole, after=after, confirmed=len(bad) >= _CONFIRMING)


def not_set(expected: Expected) -> Finding:
    """The finding about a record that has no rows, whatever stands there: the operator has not said what it holds."""
    return _finding(expected, Judged(RecordState.UNKNOWN, (), UNSET[expected.purpose]))


UNSET: Final[Mapping[Purpose, Problem]] = {
    Purpose.LINK: Problem.EDGE_HOST_UNSET,
    Purpose.BOUNCE: Problem.BOUNCE_HOST_UNSET,
    Purpose.SPF: Problem.SPF_UNSET,
}


def _judge_view(expected: Expected, view: View, names: Names) -> Judged:
    replies = [*view.replies.values()]
    for outcome, problem in _BROKEN.items():
        broken = next((reply for reply in replies if reply.outcome is outcome), None)
        if broken is not None:
            path = " → ".join(broken.path)
            return Judged(RecordState.WRONG, broken.path[1:], problem, {"path": path, "limit": MAX_CNAMES})
    if all(reply.outcome is Outcome.FAILED for reply in replies):
        return _no_answer(view, replies[0])
    beside = [kind for kind, reply in view.replies.items() if len(reply.path) == 1 and reply.outcome is Outcome.FOUND]
    if beside and any(len(reply.path) > 1 for reply in replies):
        types = " and ".join(beside)
        return Judged(RecordState.WRONG, _found(view.replies), Problem.CNAME_BESIDE, {"types": types})
    judged = _RULES[expected.purpose](expected, view, names)
    failed = next((reply for reply in replies if reply.outcome is Outcome.FAILED), None)
    if judged.state is RecordState.MISSING and failed is not None:
        return _no_answer(view, failed)  # it may be in what was not answered
    return judged


_BROKEN: Final = {Outcome.CIRCLE: Problem.CNAME_CIRCLE, Outcome.TOO_LONG: Problem.CNAME_TOO_LONG}


def _found(replies: Replies) -> tuple[str, ...]:
    """What stands at a name: the alias, or the values."""
    targets = {reply.path[1] for reply in replies.values() if len(reply.path) > 1}
    values = [value for reply in replies.values() if len(reply.path) == 1 for value in reply.values]
    return (*sorted(targets), *values)


def _no_answer(view: View, failed: Reply) -> Judged:
    return Judged(RecordState.UNKNOWN, (), Problem.NO_ANSWER, {"failures": f"{view.server} {failed.failure}"})


def _missing() -> Judged:
    return Judged(RecordState.MISSING, (), Problem.NOT_THERE)


def _wrong(found: Sequence[str], problem: Problem, **facts: object) -> Judged:
    return Judged(RecordState.WRONG, tuple(found), problem, facts)


def _valid(found: Sequence[str]) -> Judged:
    return Judged(RecordState.VALID, tuple(found))


def _texts(replies: Replies) -> tuple[str, ...]:
    reply = replies.get(RecordType.TXT)
    return reply.values if reply else ()


def _dkim(expected: Expected, view: View, _: Names) -> Judged:
    values = _texts(view.replies)
    if not values:
        return _missing()
    problem, facts = key_problem(expected.rows[0].value, values)
    return _wrong(values, problem, **facts) if problem else _valid(values)


def _spf(expected: Expected, view: View, _: Names) -> Judged:
    return _spf_of(expected.rows[0].value, _texts(view.replies))


def _spf_of(expected: str, values: Sequence[str]) -> Judged:
    """RFC 7208, section 4.5: one record exactly. It may allow more than we need."""
    records = [value for value in values if _is_spf(as_entered(value))]
    if not records:
        return _missing()
    if len(records) > 1:
        return _wrong(records, Problem.SPF_SEVERAL, count=len(records))
    if not _is_spf(records[0]):
        return _wrong(records, Problem.QUOTED)
    terms = records[0].lower().split()
    last = next((at for at, term in enumerate(terms) if term.lstrip("+-~?") == "all"), len(terms))
    lacking = [
        term
        for term in expected.split()[1:]
        if term.lstrip("+-~?").lower() != "all" and term.lower() not in terms[:last]
    ]
    return _wrong(records, Problem.SPF_LACKS, lacking=" ".join(lacking)) if lacking else _valid(records)


def _is_spf(value: str) -> bool:
    return value.lower().split(" ", 1)[0] == "v=spf1"


def _bounce(_: Expected, view: View, names: Names) -> Judged:
    """An alias of the bounce host; or mail that goes to it, and then the SPF record as well where there is one."""
    reply = view.replies[RecordType.MX]
    if names.bounce_host in reply.path:
        return _valid(reply.path[1:])
    if len(reply.path) > 1:
        return _wrong(reply.path[1:2], Problem.CNAME_ELSEWHERE, target=reply.path[1])
    if not reply.values:
        return _missing()
    hosts = [value.split()[-1] for value in reply.values]
    if names.bounce_host not in hosts:
        return _wrong(reply.values, Problem.MX_ELSEWHERE, hosts=", ".join(hosts))
    if names.spf and (spf := _spf_of(names.spf, _texts(view.replies))).state is not RecordState.VALID:
        return spf
    return _valid(reply.values)


def _link(_: Expected, view: View, names: Names) -> Judged:
    """An alias of the edge host, however deep, or addresses that are the edges'; of both families."""
    replies = view.replies.values()
    aliased = any(names.edge_host and names.edge_host in reply.path for reply in replies)
    direct = [value for reply in replies if names.edge_host not in reply.path for value in reply.values]
    foreign = [address for address in direct if address not in names.edge_addresses]
    if foreign:
        return _leads_to(direct, foreign, view)
    if aliased and names.edge_addresses:
        return _valid(sorted(names.edge_addresses))
    if aliased:
        return Judged(RecordState.UNKNOWN, (), Problem.EDGE_HOST_DEAD, {"target": names.edge_host})
    return _valid(direct) if direct else _leads_nowhere(view)


def _leads_nowhere(view: View) -> Judged:
    path = max((reply.path for reply in view.replies.values()), key=len)
    return _wrong(path[1:], Problem.CNAME_ELSEWHERE, target=path[-1]) if len(path) > 1 else _missing()


def _leads_to(addresses: Sequence[str], foreign: Sequence[str], view: View) -> Judged:
    """Addresses that are not the edges'."""
    path = max((reply.path for reply in view.replies.values()), key=len)
    if len(path) > 1:
        return _wrong(path[1:], Problem.CNAME_ELSEWHERE, target=path[-1])
    if len(foreign) < len(addresses):
        return _wrong(addresses, Problem.ADDRESS_MIXED, foreign=", ".join(foreign))
    return _wrong(addresses, Problem.ADDRESS_ELSEWHERE, addresses=", ".join(addresses))


def _ownership(expected: Expected, view: View, _: Names) -> Judged:
    values = _texts(view.replies)
    wanted = expected.rows[0].value
    if wanted in values:
        return _valid([wanted])
    if any(wanted == as_entered(value) for value in values):
        return _wrong(values, Problem.QUOTED)
    others = [value for value in values if value.startswith(wanted.partition("=")[0] + "=")]
    return _wrong(others, Problem.ACCOUNT_OTHER, others=", ".join(others)) if others else _missing()


def _dmarc(_: Expected, view: View, __: Names) -> Judged:
    for replies in (view.replies, view.also):
        values = [value for value in _texts(replies) if value.replace(" ", "").lower().startswith("v=dmarc1")]
        if values:
            several = len(values) > 1
            return _wrong(values, Problem.DMARC_SEVERAL, count=len(values)) if several else _valid(values)
    return _missing()


_RULES: Final[Mapping[Purpose, Callable[[Expected, View, Names], Judged]]] = {
    Purpose.DKIM: _dkim,
    Purpose.DKIM_ED25519: _dkim,
    Purpose.BOUNCE: _bounce,
    Purpose.SPF: _spf,
    Purpose.LINK: _link,
    Purpose.OWNERSHIP: _ownership,
    Purpose.DMARC: _dmarc,
}


def _unknown(expected: Expected, judged: Sequence[tuple[View, Judged]]) -> Finding:
    """Nobody knew. What is not the servers' fault is said before what is."""
    ones = [one for _, one in judged]
    said = next((one for one in ones if one.problem is not Problem.NO_ANSWER), None)
    if said is None:
        failures = "; ".join(str(one.facts["failures"]) for one in ones) or "no name server was found"
        said = Judged(RecordState.UNKNOWN, (), Problem.NO_ANSWER, {"failures": failures})
    return _finding(expected, said)


def _disagreement(expected: Expected, good: Sequence[tuple[View, Judged]], view: View, worst: Judged) -> Finding:
    """Some have it and some have not: what the zone's own name servers say is new, what resolvers say may be old."""
    best, right = good[0]
    if best.authoritative and not view.authoritative:
        return _finding(expected, right, after=_still_cached(view))
    if view.authoritative and not best.authoritative:
        return _finding(expected, worst, after=_still_cached(best))
    facts = {"bad": view.server, "good": best.server}
    return _finding(expected, Judged(worst.state, worst.found, Problem.SERVERS_DISAGREE, facts))


def _still_cached(view: View) -> str:
    seconds = max((reply.ttl_seconds for reply in view.replies.values()), default=0)
    return SENTENCES[Problem.STILL_CACHED].format(seconds=seconds) if seconds else ""


def behind_a_proxy(expected: Expected, finding: Finding) -> Finding:
    """The finding, once a visit has shown that our edge is reached through somebody else's server."""
    judged = Judged(RecordState.WRONG, finding.found, Problem.PROXIED, {"addresses": ", ".join(finding.found)})
    return _finding(expected, judged, confirmed=finding.confirmed)


def _finding(expected: Expected, judged: Judged, *, after: str = "", confirmed: bool = False) -> Finding:
    sentence = ""
    if judged.problem is not None:
        sentence = SENTENCES[judged.problem].format_map({"name": expected.name, **judged.facts})
    return Finding(
        purpose=expected.purpose,
        state=judged.state,
        required=expected.required,
        found=judged.found,
        problem=judged.problem,
        hint=" ".join(filter(None, (sentence, after))),
        confirmed=confirmed,
    )
