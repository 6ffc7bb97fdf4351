"""The first verdicts on a batch: what `classify_batch` says when nothing else is known and nothing is final.

A collector asks this of every hit. Nearly all are a send's only one in the batch, or one of a few that no rule about
bursts can hold for; what is left of such a hit, it has in common with thousands.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from waypost.events.client import Client
from waypost.events.hit import Hit
from waypost.events.verdict.batch import crowds
from waypost.events.verdict.burst import CLICKS_LEAST, RAPID
from waypost.events.verdict.evidence import SendFacts, Verdict, VerdictClass, evidence_of
from waypost.events.verdict.judge import judge
from waypost.events.verdict.moment import MANY_RECIPIENTS
from waypost.events.verdict.reason import Reason
from waypost.events.verdict.seen import Known, Seen, unsubscribes
from waypost.events.verdict.signs import BIT, Looks, verdict_of

_NOTHING_KNOWN: Final = SendFacts()
_NEVER_FINAL: Final = datetime.min.replace(tzinfo=UTC)
# Hits this close are one burst, however their times are rounded: `judge.SETTLED_AFTER` is what parts two.
_SURELY_ONE_BURST: Final = timedelta(seconds=60)
# (clicks, pause): so many in the time that RAPID has for them are two among them at most this far apart.
_RAPID_PAUSES: Final = tuple([(limit, timedelta(seconds=seconds / (limit - 1))) for limit, seconds in RAPID])
_MANY_RECIPIENTS: Final = BIT[Reason.MANY_RECIPIENTS]


def first_verdicts(hits: Sequence[Hit], clients: Sequence[Client], organisations: Sequence[str]) -> list[Verdict]:
    """A verdict on each hit, in their order. None is final.

    Args:
        hits: of many sends. To share a dict of headers makes them cheaper.
        clients: with what each was made.
        organisations: who routes the address of each; empty when nobody knows.
    """
    looks = Looks(_NOTHING_KNOWN)
    at_once = crowds([hit.send_id for hit in hits], hits)
    known: list[Known] = []
    signs: list[int] = []
    by_send: dict[int, list[int]] = {}
    for place, hit in enumerate(hits):
        of_hit = looks.known(hit.headers, hit.kind, hit.outcome, clients[place], organisations[place])
        known.append(of_hit)
        crowded = of_hit.is_click and at_once.get(place, 1) >= MANY_RECIPIENTS
        signs.append(of_hit.signs | _MANY_RECIPIENTS if crowded else of_hit.signs)
        send_id = hit.send_id
        if send_id is not None:
            by_send.setdefault(send_id.int, []).append(place)
    alone: dict[int, Verdict] = {each: verdict_of(each, False) for each in set(signs)}  # noqa: FBT003 - as there
    verdicts = [alone[each] for each in signs]
    for places in by_send.values():
        if len(places) > 1 and _may_tell_more(places, hits, known, verdicts):
            together = [
                Seen(
                    evidence_of(hits[place], clients[place], organisations[place], at_once.get(place, 1)),
                    known[place],
                    None,
                )
                for place in places
            ]
            for place, verdict in zip(places, judge(together, _NOTHING_KNOWN, _NEVER_FINAL), strict=True):
                verdicts[place] = verdict
    return verdicts


def _may_tell_more(
    places: Sequence[int], hits: Sequence[Hit], known: Sequence[Known], verdicts: Sequence[Verdict]
) -> bool:
    """Whether hits of one send, looked at together, can say more than each by itself."""
    clicks = [place for place in places if known[place].is_click]
    if len(clicks) >= CLICKS_LEAST and not _at_leisure([hits[place] for place in clicks]):
        return True
    # No rule of bursts holds. What a machine did can still be held against who looks like it, or comes later.
    machines = [hits[place] for place in places if verdicts[place].verdict_class is VerdictClass.MACHINE]
    if 0 < len(machines) < len(places):
        agents = {_user_agent(hit) for hit in machines}
        others = [hits[place] for place in places if verdicts[place].verdict_class is not VerdictClass.MACHINE]
        if not agents.isdisjoint([_user_agent(hit) for hit in others]):
            return True
    times = [hits[place].occurred_at for place in places]
    return max(times) - min(times) > _SURELY_ONE_BURST


def _at_leisure(clicks: Sequence[Hit]) -> bool:
    """Whether one visitor follows link by link and none to unsubscribe, so that no rule of bursts holds."""
    one = clicks[0]
    for hit in clicks:
        if hit.headers is not one.headers or hit.client_address != one.client_address or unsubscribes(hit.destination):
            return False
    pause = max([pause for limit, pause in _RAPID_PAUSES if limit <= len(clicks)])
    times = sorted([hit.occurred_at for hit in clicks])
    return all(later - earlier > pause for earlier, later in pairwise(times))


def _user_agent(hit: Hit) -> str:
    """Of one visitor, all hits have the same."""
    return hit.headers.get("user-agent", "")
