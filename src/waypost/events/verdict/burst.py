"""Rules about the hits of a burst together. Each returns those hits that it holds for."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from waypost.events.verdict.crowding import crowded
from waypost.events.verdict.evidence import SendFacts
from waypost.events.verdict.seen import Seen, unsubscribes

CLICKS_LEAST: Final = 2
"""All of these rules are about clicks, and about more than one."""

# 23 hits from 10 networks in 15 seconds is the burst of the tests. A person is in one network, in two on a line with
# IPv4 and IPv6, in three while a phone changes to another line: with all of a browser's headers it takes four.
NETWORKS_SECONDS: Final = 15
NETWORKS_BARE: Final = 3
NETWORKS_NAVIGATING: Final = 4

# (different links, within seconds). Of 836 sweeps seen by a sender, each of five or more links, all took less than a
# second (https://github.com/putyourlightson/craft-campaign/issues/546); Maestra takes four clicks in a second and five
# in ten for a machine's (https://help.maestra.io/docs/filtering-out-fake-clicks-keeping-your-click-rate-clean).
# Stricter here: somebody who opens the links that interest her in tabs needs more than a second for each.
RAPID: Final = ((2, 0.3), (3, 1.0), (4, 3.0), (6, 8.0))

# A sweep that takes its time, a link every few seconds (https://github.com/mautic/mautic/issues/9798). Of fewer links
# a person may follow all.
ALL_LINKS_SECONDS: Final = 60
ALL_LINKS_SHARE: Final = 0.8
ALL_LINKS_LEAST: Final = 5

UNSUBSCRIBE_SECONDS: Final = 60

# A link is checked when it is clicked and the reader let through when the check is done: 12 seconds in
# https://github.com/resend/resend-node/issues/901.
CHECK_SECONDS: Final = 30


class Burst:
    """Hits in order of time, none two minutes after the one before."""

    def __init__(self, hits: Sequence[Seen]) -> None:
        """Look at them together."""
        self.hits = hits
        self.visitors = _visitors(hits)
        """The clicks of each visitor who followed more than one link."""


def _visitors(hits: Sequence[Seen]) -> list[list[Seen]]:
    clicks: dict[tuple[str, ...], list[Seen]] = {}
    for seen in hits:
        # A browser fetches ahead what its reader does not follow.
        if seen.known.is_click and not seen.known.is_prefetch:
            clicks.setdefault(seen.visitor, []).append(seen)
    return [of_one for of_one in clicks.values() if len({seen.link for seen in of_one}) > 1]


def many_networks(burst: Burst, _: SendFacts) -> list[Seen]:
    """Clicks from many networks within seconds.

    Those with all of a browser's headers and others, from data centres and from elsewhere, are looked at apart: a
    reader who comes amid a gateway's hits is not one of them.
    """
    found: list[Seen] = []
    alike: dict[tuple[bool, bool], list[Seen]] = {}
    for seen in burst.hits:
        if seen.known.is_click and seen.network and not seen.known.is_prefetch:
            alike.setdefault((seen.known.navigates, seen.known.in_data_centre), []).append(seen)
    for (navigates, _in_data_centre), hits in alike.items():
        limit = NETWORKS_NAVIGATING if navigates else NETWORKS_BARE
        if len(hits) >= limit:
            networks = [seen.network for seen in hits]
            found += crowded(hits, _seconds(hits), networks, seconds=NETWORKS_SECONDS, limit=limit)
    return found


def rapid_links(burst: Burst, _: SendFacts) -> list[Seen]:
    """One visitor at several links faster than a hand."""
    found: list[Seen] = []
    for clicks in burst.visitors:
        times, links = _seconds(clicks), _links(clicks)
        for limit, seconds in RAPID:
            found += crowded(clicks, times, links, seconds=seconds, limit=limit)
    return found


def all_links(burst: Burst, send: SendFacts) -> list[Seen]:
    """One visitor at all or most links within a minute."""
    found: list[Seen] = []
    if send.links < ALL_LINKS_LEAST:
        return found
    most = max(ALL_LINKS_LEAST, round(send.links * ALL_LINKS_SHARE))
    for clicks in burst.visitors:
        found += crowded(clicks, _seconds(clicks), _links(clicks), seconds=ALL_LINKS_SECONDS, limit=most)
    return found


def unsubscribe_and_content(burst: Burst, _: SendFacts) -> list[Seen]:
    """One visitor at the link to unsubscribe and at another within a minute: who wants one does not want the other."""
    found: list[Seen] = []
    for clicks in burst.visitors:
        kinds = [unsubscribes(seen.evidence.destination) for seen in clicks]
        found += crowded(clicks, _seconds(clicks), kinds, seconds=UNSUBSCRIBE_SECONDS, limit=2)
    return found


def checked_click(burst: Burst, _: SendFacts) -> list[Seen]:
    """In a data centre, while somebody elsewhere followed the same link."""
    elsewhere: dict[int, list[float]] = {}
    for seen in burst.hits:
        if seen.known.navigates and not seen.known.in_data_centre:
            elsewhere.setdefault(seen.link, []).append(seen.seconds)
    return [
        seen
        for seen in burst.hits
        if seen.known.is_click and seen.known.in_data_centre and _has_near(elsewhere.get(seen.link, []), seen.seconds)
    ]


def _has_near(times: Sequence[float], seconds: float) -> bool:
    after = bisect_left(times, seconds - CHECK_SECONDS)
    return after < len(times) and times[after] <= seconds + CHECK_SECONDS


def _seconds(hits: Sequence[Seen]) -> list[float]:
    return [seen.seconds for seen in hits]


def _links(hits: Sequence[Seen]) -> list[int]:
    return [seen.link for seen in hits]
