"""Rules about a hit by itself that depend on when it came."""

from typing import Final

from waypost.events.verdict.seen import Seen

AT_DELIVERY_SECONDS: Final = 5
SOON_SECONDS: Final = 120
HOURS_LATER_SECONDS: Final = 2 * 3600
MANY_RECIPIENTS: Final = 10


def at_delivery(seen: Seen) -> bool:
    """Before anybody can have read the message."""
    return seen.age is not None and seen.age <= AT_DELIVERY_SECONDS


def soon_from_data_centre(seen: Seen) -> bool:
    """Within two minutes of delivery, from where servers stand."""
    return seen.known.is_click and seen.age is not None and seen.age <= SOON_SECONDS and seen.known.in_data_centre


def many_recipients(seen: Seen) -> bool:
    """The same client at ten or more recipients' links. Not at their pixels: one image proxy serves thousands."""
    return seen.known.is_click and seen.evidence.recipients_at_once >= MANY_RECIPIENTS


def hours_later(seen: Seen) -> bool:
    """Long after delivery."""
    return seen.age is not None and seen.age >= HOURS_LATER_SECONDS
