"""Planning a message's links for its report; the rewritten message itself is made at delivery."""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from waypost.db.link_policy import sending_policy
from waypost.db.outbox import LinkRecord
from waypost.links import Link, Part, plan
from waypost.links.keyring import Keyring

_log = logging.getLogger(__name__)

UNTRACKED = "the links could not be rewritten: the message goes out untracked"


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
    try:
        planned = plan(html, sending_policy(keyring, untouched))
        return LinkPlan(report={**planned.report()}, tracked=_records(planned.tracked))
    except Exception:  # noqa: BLE001 - whatever it is, a fault of ours must not cost the sender the message
        _log.exception("planning the links of a message failed; it is accepted untracked")
        return LinkPlan(
            report={"tracked": 0, "skipped": 0, "links": [], "error": UNTRACKED}, tracked=[], error=UNTRACKED
        )


def _records(links: Iterable[Link]) -> list[LinkRecord]:
    # Twins share an index: the one in the HTML itself comes to stand for both.
    by_index: dict[int, LinkRecord] = {}
    for link in links:
        if link.index not in by_index or link.part is Part.HTML:
            by_index[link.index] = LinkRecord(link.index, link.name or "", link.part)
    return list(by_index.values())
