"""Verdicts on the hits that a collector has in its hands: of many sends, mostly one of each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from waypost.events.hit import Hit, HitKind
from waypost.events.verdict.crowd import sends_at_once
from waypost.events.verdict.evidence import Evidence, SendFacts, Verdict
from waypost.events.verdict.judge import classify_one, classify_together
from waypost.events.verdict.moment import MANY_RECIPIENTS

SentHit = tuple[UUID | None, Evidence]
"""A hit and its send; None in anonymous mode, where hits have nothing to do with each other."""

_NOTHING_KNOWN: Final = SendFacts()


def classify_batch(hits: Sequence[SentHit], sends: Mapping[UUID, SendFacts], now: datetime) -> list[Verdict]:
    """A verdict on each hit, in the order of `hits`. Recipients hit at once are counted over the batch.

    Args:
        hits: all that is to be looked at together.
        sends: what is known of them; of a send that is not there nothing is.
        now: as for `classify`.
    """
    counted = _with_crowds(hits)
    verdicts: dict[int, Verdict] = {}
    by_send: dict[int, list[int]] = {}
    for place, (send_id, hit) in enumerate(counted):
        if send_id is None:
            verdicts[place] = classify_one(hit, _NOTHING_KNOWN, now)
        else:
            by_send.setdefault(send_id.int, []).append(place)
    for places in by_send.values():
        own = [counted[place][1] for place in places]
        send_id = counted[places[0]][0]
        send = sends.get(send_id, _NOTHING_KNOWN) if sends and send_id else _NOTHING_KNOWN
        if len(own) == 1:
            verdicts[places[0]] = classify_one(own[0], send, now)
        else:
            verdicts.update(zip(places, classify_together(own, send, now), strict=True))
    return [verdicts[place] for place in range(len(counted))]


def crowds(sends: Sequence[UUID | None], hits: Sequence[Evidence | Hit]) -> dict[int, int]:
    """Recipients hit at once, by place, where the number can matter: of those who come often enough, and click."""
    addresses = [hit.client_address for hit in hits]
    often = {address for address, count in Counter(addresses).items() if count >= MANY_RECIPIENTS}
    clicking = {
        address for address, hit in zip(addresses, hits, strict=True) if address in often and hit.kind is HitKind.CLICK
    }
    return sends_at_once(
        [
            (place, send_id, hits[place])
            for place, (send_id, address) in enumerate(zip(sends, addresses, strict=True))
            if address in clicking and send_id is not None
        ]
    )


def _with_crowds(hits: Sequence[SentHit]) -> Sequence[SentHit]:
    counts = crowds([send_id for send_id, _ in hits], [hit for _, hit in hits])
    if not counts:
        return hits
    return [
        (send_id, replace(hit, recipients_at_once=count))
        if (count := counts.get(place, 0)) > hit.recipients_at_once
        else (send_id, hit)
        for place, (send_id, hit) in enumerate(hits)
    ]
