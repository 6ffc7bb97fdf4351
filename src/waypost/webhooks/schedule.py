"""When a message is tried again, and when an endpoint is given up: pure."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

RETRY_SECONDS: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""After the first attempt, the second, and so on: what Standard Webhooks recommends."""
ATTEMPTS_MAX: Final = len(RETRY_SECONDS) + 1
JITTER: Final = 0.1
"""What failed together comes back apart: up to so much later, and never earlier than published."""
RETRY_AFTER_MAX_SECONDS: Final = 86_400
"""The longest that a receiver may put us off: as long as the longest pause of the schedule."""
GIVE_UP_ENDPOINT: Final = timedelta(days=5)
"""An endpoint that took nothing for so long, while there was something to take, is disabled."""


def retry_at(now: datetime, *, attempts: int, retry_after: str, chance: float) -> datetime | None:
    """The time of the next attempt after one that failed; None when there is none.

    Args:
        now: aware.
        attempts: made so far, at least 1.
        retry_after: the header of the answer (RFC 9110, section 10.2.3), empty without one.
        chance: random, 0 to 1.
    """
    if attempts >= ATTEMPTS_MAX:
        return None
    seconds = max(RETRY_SECONDS[attempts - 1], _asked_seconds(now, retry_after))
    return now + timedelta(seconds=seconds * (1 + JITTER * chance))


def is_given_up(now: datetime, failing_since: datetime | None) -> bool:
    """Whether an endpoint that failed just now has failed for too long."""
    return failing_since is not None and now - failing_since >= GIVE_UP_ENDPOINT


def _asked_seconds(now: datetime, retry_after: str) -> float:
    """What the receiver asks for, within bounds; 0 when that cannot be read."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        # Longer than any bound: as many digits as one likes are read in no time.
        return min(int(text[:9]), RETRY_AFTER_MAX_SECONDS)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for a year of more than nine digits
        return 0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0), RETRY_AFTER_MAX_SECONDS)
