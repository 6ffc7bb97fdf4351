"""Verdicts on the hits that a collector has in its hands: of many sends, mostly one of each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from waypost.events.verdict.crowd import recipients_at_once
from waypost.events.verdict.evidence import Evidence, SendFacts, Verdict
from waypost.events.verdict.judge import classify, classify_one
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
    found: dict[int, Verdict] = {}
    by_send: dict[UUID, list[int]] = {}
    for place, (send_id, hit) in enumerate(counted):
        if send_id is None:
            found[place] = classify_one(hit, _NOTHING_KNOWN, now)
        else:
            by_send.setdefault(send_id, []).append(place)
    for send_id, places in by_send.items():
        send = sends.get(send_id, _NOTHING_KNOWN)
        if len(places) == 1:
            found[places[0]] = classify_one(counted[places[0]][1], send, now)
        else:
            own = [counted[place][1] for place in places]
            verdicts = classify(own, send, now)
            found.update(zip(places, [verdicts[hit.event_id] for hit in own], strict=True))
    return [found[place] for place in range(len(counted))]


def _with_crowds(hits: Sequence[SentHit]) -> Sequence[SentHit]:
    """With the recipients counted, where an address comes often enough for the number to matter."""
    addresses = Counter([hit.client_address for _, hit in hits])
    often = {address for address, count in addresses.items() if count >= MANY_RECIPIENTS}
    if not often:
        return hits
    counts = recipients_at_once(
        (send_id, hit) for send_id, hit in hits if send_id is not None and hit.client_address in often
    )
    return [
        (send_id, replace(hit, recipients_at_once=count))
        if (count := counts.get(hit.event_id, 0)) > hit.recipients_at_once
        else (send_id, hit)
        for send_id, hit in hits
    ]
