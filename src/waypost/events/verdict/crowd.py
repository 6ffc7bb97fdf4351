"""One client at many recipients' links: the only sign that needs more than the hits of one send."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from waypost.events.hit import Hit
from waypost.events.verdict.evidence import Evidence

# A gateway checks the copies of a mailing as they come in, the links of one within milliseconds of each other
# (https://github.com/MillionSend/millionsend/pull/22).
WINDOW_SECONDS: Final = 10


def recipients_at_once(hits: Iterable[tuple[UUID, Evidence]]) -> dict[UUID, int]:
    """For each hit, by event id, how many sends the same client hit within ten seconds before and after it.

    The same client is one address and user agent. What the caller hands in decides what is counted: the batch that a
    collector has in its hands costs nothing to ask; the store can say the same of all that was stored.

    Args:
        hits: each with the id of its send.
    """
    given = list(hits)
    counts = sends_at_once([(place, send_id, hit) for place, (send_id, hit) in enumerate(given)])
    return {given[place][1].event_id: count for place, count in counts.items()}


def sends_at_once(hits: Iterable[tuple[int, UUID, Evidence | Hit]]) -> dict[int, int]:
    """As `recipients_at_once`, by a number that the caller gives each hit."""
    clients: dict[tuple[str, str], list[tuple[float, int, int]]] = {}
    for number, send_id, hit in hits:
        if hit.client_address:
            client = hit.client_address, hit.headers.get("user-agent", "")
            clients.setdefault(client, []).append((hit.occurred_at.timestamp(), send_id.int, number))
    counts: dict[int, int] = {}
    for times in clients.values():
        if len(times) == 1:
            counts[times[0][2]] = 1
        else:
            times.sort()
            counts.update(_around(times))
    return counts


def _around(times: list[tuple[float, int, int]]) -> dict[int, int]:
    inside: dict[int, int] = {}
    counts: dict[int, int] = {}
    first = last = 0
    for seconds, _, number in times:
        while last < len(times) and times[last][0] <= seconds + WINDOW_SECONDS:
            send = times[last][1]
            inside[send] = inside.get(send, 0) + 1
            last += 1
        while times[first][0] < seconds - WINDOW_SECONDS:
            gone = times[first][1]
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
            first += 1
        counts[number] = len(inside)
    return counts
