"""Planning a message's links for its report; the rewritten message itself is made at delivery."""

import itertools
import logging
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from waypost.db.link_policy import sending_policy
from waypost.db.outbox import LinkRecord
from waypost.links import Link, Part, plan
from waypost.links.keyring import Keyring

_log = logging.getLogger(__name__)

UNTRACKED = "the links could not be rewritten: the message goes out untracked"
MAX_LINKS: Final = 10_000
"""The report of so many is 2 MB and made in 0.1 s. One request can hold a million, whose report takes 2 GB, and the
event loop for ten seconds."""
TOO_MANY: Final = f"there are more than {MAX_LINKS:,} links: the message goes out untracked"
_HREF: Final = re.compile("href", re.IGNORECASE)
_SHORTEST_LINK: Final = len("<a href>")


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """What the rewriting of one message comes to."""

    report: dict[str, Any] | None
    """None: nothing was to be tracked."""
    tracked: list[LinkRecord]
    """One per link index."""
    error: str | None = None
    """R18: the rewriting failed, and the message goes out as it is."""


NOTHING_PLANNED = LinkPlan(report=None, tracked=[])


def plan_links(html: str, keyring: Keyring, untouched: Collection[str] = ()) -> LinkPlan:
    """Plan the tracked links of a message; never raises, whatever the message (R18).

    Args:
        html: as submitted.
        keyring: tells links of ours.
        untouched: URLs of its List-Unsubscribe header.
    """
    if _has_too_many(html):
        return _untracked(TOO_MANY)
    try:
        planned = plan(html, sending_policy(keyring, untouched))
        return LinkPlan(report={**planned.report()}, tracked=_records(planned.tracked))
    except Exception:  # noqa: BLE001 - whatever it is, a fault of ours must not cost the sender the message
        _log.exception("planning the links of a message failed; it is accepted untracked")
        return _untracked(UNTRACKED)


def _has_too_many(html: str) -> bool:
    """Told without looking for links, which would take as much memory."""
    if len(html) <= MAX_LINKS * _SHORTEST_LINK:
        return False
    return next(itertools.islice(_HREF.finditer(html), MAX_LINKS, None), None) is not None


def _untracked(why: str) -> LinkPlan:
    return LinkPlan(report={"tracked": 0, "skipped": 0, "links": [], "error": why}, tracked=[], error=why)


def _records(links: Iterable[Link]) -> list[LinkRecord]:
    # Twins share an index: the one in the HTML itself comes to stand for both.
    by_index: dict[int, LinkRecord] = {}
    for link in links:
        if link.index not in by_index or link.part is Part.HTML:
            by_index[link.index] = LinkRecord(link.index, link.name or "", link.part)
    return list(by_index.values())
