"""From the hits of a send to a verdict on each."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final
from uuid import UUID

from waypost.events.verdict.burst import CLICKS_LEAST, Burst
from waypost.events.verdict.evidence import Evidence, SendFacts, Verdict, VerdictClass
from waypost.events.verdict.memory import Memory
from waypost.events.verdict.rules import BURST_RULES, MEMORY_RULES, MOMENT_RULES, SAME_SYSTEM
from waypost.events.verdict.seen import Seen, Visitor
from waypost.events.verdict.signs import BIT, Looks, see, verdict_of

SETTLED_AFTER: Final = timedelta(minutes=2)
"""After the last hit of a burst. Longer than every window that a rule looks at, so that a later hit is in none of them;
hits closer than that are one burst."""
_GAP_SECONDS: Final = SETTLED_AFTER.total_seconds()
# By time, and those of one instant always alike.
_ORDER: Final[Callable[[Seen], tuple[float, UUID]]] = attrgetter("seconds", "evidence.event_id")

_MOMENT: Final = tuple((rule.holds, BIT[rule.reason]) for rule in MOMENT_RULES)
_WITHOUT_AGE: Final = tuple(
    (rule.holds, BIT[rule.reason]) for rule in MOMENT_RULES if "send.delivered_at" not in rule.fields
)
_MEMORY: Final = tuple((rule.holds, BIT[rule.reason]) for rule in MEMORY_RULES)
_SAME_SYSTEM: Final = BIT[SAME_SYSTEM.reason]


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
    given = list(hits)
    return dict(zip([hit.event_id for hit in given], classify_together(given, send, now), strict=True))


def classify_together(hits: Sequence[Evidence], send: SendFacts, now: datetime) -> list[Verdict]:
    """As `classify`: a verdict on each hit, in the order of `hits`."""
    looks = Looks(send)
    return judge([see(hit, send, looks) for hit in hits], send, now)


def judge(given: Sequence[Seen], send: SendFacts, now: datetime) -> list[Verdict]:
    """As `classify_together`, of hits that were looked at."""
    seen = sorted(given, key=_ORDER)
    settled_before = now.timestamp() - _GAP_SECONDS
    memory = Memory()
    found: dict[int, Verdict] = {}
    for burst in _bursts(seen):
        judged = _judge(burst, send, memory, final=burst[-1].seconds <= settled_before)
        found.update(zip(map(id, burst), judged, strict=True))
        if burst[-1] is not seen[-1]:
            _remember(burst, judged, memory)
    return [found[id(each)] for each in given]


def classify_one(hit: Evidence, send: SendFacts, now: datetime) -> Verdict:
    """What `classify` says of a send's only hit, which is nearly all that a collector asks, for a third of the time."""
    seen = see(hit, send, Looks(send))
    final = seen.seconds <= now.timestamp() - _GAP_SECONDS
    return verdict_of(seen.known.signs | _moment_signs(seen), final)


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
    signs = [seen.known.signs | _moment_signs(seen) | _memory_signs(seen, memory) for seen in burst]
    if len(burst) == 1:
        return [verdict_of(signs[0], final)]
    if sum([seen.known.is_click for seen in burst]) >= CLICKS_LEAST:
        together = Burst(burst)
        position_of = {id(seen): position for position, seen in enumerate(burst)}
        for rule in BURST_RULES:
            for seen in rule.find(together, send):
                signs[position_of[id(seen)]] |= BIT[rule.reason]
    verdicts = [verdict_of(each, final) for each in signs]
    if not any(_may_be_human(verdict) for verdict in verdicts):
        return verdicts
    scanning = {seen.visitor for seen, verdict in zip(burst, verdicts, strict=True) if _scans(seen, verdict)}
    return [
        verdict_of(each | _SAME_SYSTEM, final) if _may_be_human(verdict) and _is_one_of(seen, scanning) else verdict
        for seen, each, verdict in zip(burst, signs, verdicts, strict=True)
    ]


def _moment_signs(seen: Seen) -> int:
    signs = 0
    for holds, bit in _WITHOUT_AGE if seen.age is None else _MOMENT:
        if holds(seen):
            signs |= bit
    return signs


def _memory_signs(seen: Seen, memory: Memory) -> int:
    signs = 0
    for holds, bit in _MEMORY if memory else ():
        if holds(memory, seen):
            signs |= bit
    return signs


def _remember(burst: Sequence[Seen], judged: Sequence[Verdict], memory: Memory) -> None:
    for seen, verdict in zip(burst, judged, strict=True):
        if verdict.verdict_class is VerdictClass.HUMAN:
            memory.person(seen)
        elif _scans(seen, verdict):
            memory.machine(seen)


def _scans(seen: Seen, verdict: Verdict) -> bool:
    """Whether other hits of this visitor are a machine's too. Not of a browser that fetches ahead for its reader."""
    return verdict.verdict_class is VerdictClass.MACHINE and not seen.known.is_prefetch


def _may_be_human(verdict: Verdict) -> bool:
    return verdict.verdict_class is not VerdictClass.MACHINE


def _is_one_of(seen: Seen, visitors: set[Visitor]) -> bool:
    visitor = seen.visitor
    return visitor[0] != "" and visitor in visitors
