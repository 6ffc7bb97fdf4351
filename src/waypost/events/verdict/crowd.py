"""One client at many recipients' links: the only sign that needs more than the hits of one send."""

from collections import Counter
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from waypost.events.hit import Hit
from waypost.events.verdict.evidence import Evidence

# A gateway checks the copies of a mailing as they come in, the links of one within milliseconds of each other
# (https://github.com/MillionSend/millionsend/pull/22).
WINDOW_SECONDS: Final = 10


def recipients_at_once(hits: Iterable[tuple[UUID, Evidence | Hit]]) -> dict[UUID, int]:
    """For each hit, by event id, how many sends the same client hit within ten seconds before and after it.

    The same client is one address and user agent. What the caller hands in decides what is counted: the batch that a
    collector has in its hands costs nothing to ask; the store can say the same of all that was stored.

    Args:
        hits: each with the id of its send.
    """
    clients: dict[tuple[str, str], list[tuple[float, UUID, UUID]]] = {}
    for send_id, hit in hits:
        if hit.client_address:
            client = hit.client_address, hit.headers.get("user-agent", "")
            clients.setdefault(client, []).append((hit.occurred_at.timestamp(), send_id, hit.event_id))
    counts: dict[UUID, int] = {}
    for times in clients.values():
        if len(times) == 1:
            counts[times[0][2]] = 1
        else:
            times.sort()
            counts.update(_around(times))
    return counts


def _around(times: list[tuple[float, UUID, UUID]]) -> dict[UUID, int]:
    inside: Counter[UUID] = Counter()
    counts: dict[UUID, int] = {}
    first = last = 0
    for seconds, _, event_id in times:
        while last < len(times) and times[last][0] <= seconds + WINDOW_SECONDS:
            inside[times[last][1]] += 1
            last += 1
        while times[first][0] < seconds - WINDOW_SECONDS:
            gone = times[first][1]
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
            first += 1
        counts[event_id] = len(inside)
    return counts
