"""From the hits of a send to a verdict on each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final
from uuid import UUID

from waypost.events.hit import Outcome
from waypost.events.verdict.evidence import Evidence, SendFacts, Verdict, VerdictClass
from waypost.events.verdict.memory import Memory
from waypost.events.verdict.reason import Reason
from waypost.events.verdict.rules import (
    BURST_RULES,
    DECISIVE,
    DOUBT_FROM,
    MACHINE_FROM,
    MEMORY_RULES,
    ONE_RULES,
    RULES,
    RULES_VERSION,
    SAME_SYSTEM,
)
from waypost.events.verdict.seen import Seen, see

SETTLED_AFTER: Final = timedelta(minutes=2)
"""After the last hit of a burst. Longer than every window that a rule looks at, so that a later hit is in none of them;
hits closer than that are one burst."""
_GAP_SECONDS: Final = SETTLED_AFTER.total_seconds()
_ORDER: Final[Callable[[Seen], tuple[float, UUID]]] = attrgetter("order")


def classify(hits: Iterable[Evidence], send: SendFacts, now: datetime) -> dict[UUID, Verdict]:
    """A verdict on each hit of a send, by event id.

    A burst is looked at as a whole, with what was found out in earlier ones and nothing of later ones. So a final
    verdict stays when something happens later. In which order hits are given does not matter.

    Args:
        hits: all hits of the send that are known: without earlier ones, and above all without those of the same burst,
            a verdict knows less.
        send: what is known of it.
        now: aware; a burst whose last hit is two minutes older is settled.
    """
    settled_before = now.timestamp() - _GAP_SECONDS
    memory = Memory()
    verdicts: dict[UUID, Verdict] = {}
    for burst in _bursts(sorted((see(hit, send) for hit in hits), key=_ORDER)):
        final = burst[-1].seconds <= settled_before
        judged = _judge(burst, send, memory, final=final)
        for seen, verdict in zip(burst, judged, strict=True):
            verdicts[seen.evidence.event_id] = verdict
            if verdict.verdict_class is VerdictClass.HUMAN:
                memory.person(seen)
            elif _scans(seen, verdict):
                memory.machine(seen)
    return verdicts


def settled_at(hits: Iterable[Evidence]) -> datetime:
    """When all verdicts on these hits of a send are final, if nothing more happens."""
    return max(hit.occurred_at for hit in hits) + SETTLED_AFTER


def _bursts(hits: Sequence[Seen]) -> Iterator[Sequence[Seen]]:
    first = 0
    for position in range(1, len(hits) + 1):
        if position == len(hits) or hits[position].seconds - hits[position - 1].seconds >= _GAP_SECONDS:
            yield hits[first:position]
            first = position


def _judge(burst: Sequence[Seen], send: SendFacts, memory: Memory, *, final: bool) -> list[Verdict]:
    found = [_signs_of_one(seen, send, memory) for seen in burst]
    if len(burst) == 1:
        return [_verdict(found[0], final=final)]
    position_of = {seen.evidence.event_id: position for position, seen in enumerate(burst)}
    for rule in BURST_RULES:
        for seen in rule.find(burst, send):
            found[position_of[seen.evidence.event_id]].add(rule.reason)
    verdicts = [_verdict(reasons, final=final) for reasons in found]
    scanning = {seen.visitor for seen, verdict in zip(burst, verdicts, strict=True) if _scans(seen, verdict)}
    for position, seen in enumerate(burst):
        if seen.network and seen.visitor in scanning and verdicts[position].verdict_class is not VerdictClass.MACHINE:
            verdicts[position] = _verdict(found[position] | {SAME_SYSTEM.reason}, final=final)
    return verdicts


def _signs_of_one(seen: Seen, send: SendFacts, memory: Memory) -> set[Reason]:
    reasons = {rule.reason for rule in ONE_RULES if rule.holds(seen, send)}
    reasons.update([rule.reason for rule in MEMORY_RULES if rule.holds(memory, seen)])
    return reasons


def _scans(seen: Seen, verdict: Verdict) -> bool:
    """Whether other hits of this visitor are a machine's too. Not of a browser that fetches ahead for its reader."""
    return verdict.verdict_class is VerdictClass.MACHINE and seen.evidence.outcome is not Outcome.PREFETCH


def _verdict(reasons: set[Reason], *, final: bool) -> Verdict:
    named = reasons or {Reason.NO_SIGN}
    points = [RULES[reason].points for reason in named]
    score = DECISIVE if max(points) >= DECISIVE else max(-DECISIVE, min(sum(points), DECISIVE - 1))
    return Verdict(_class_of(score), score, _ordered(named), final, RULES_VERSION)


def _class_of(score: int) -> VerdictClass:
    if score >= MACHINE_FROM:
        return VerdictClass.MACHINE
    return VerdictClass.UNKNOWN if score >= DOUBT_FROM else VerdictClass.HUMAN


_PLACE: Final = {reason: place for place, reason in enumerate(sorted(RULES, key=lambda name: -abs(RULES[name].points)))}


def _ordered(reasons: set[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=_PLACE.__getitem__))
