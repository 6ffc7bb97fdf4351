"""When a message is tried again, and when no more."""

from datetime import datetime, timedelta

_DELAYS_SECONDS = (
    15,  # a relay restarting, a connection cut
    60,  # a relay short of resources, which asks to come back soon
    300,  # greylisting: 5 minutes is what postgrey, the most used one, waits by default
    900,  # greylisting with a longer window
    1_800,  # RFC 5321, section 4.5.4.1: at least 30 minutes between attempts, once it is no passing trouble
    3_600,
    7_200,
    14_400,  # and so on: whoever repairs a server at noon has the mail by evening
)
# Messages refused together come back apart.
_JITTER = 0.2

# A relay that cannot be reached, or refuses to talk, says nothing about the message: all wait alike, and not long.
_RELAY_DOWN_SECONDS = 30

# On hold it is looked at once a minute at first, so that approval is felt at once; then less and less, so that a
# suspended account's backlog costs nothing.
_HOLD_SECONDS = (60, 900)


def retry_at(  # noqa: D417 - the rest say it by their names
    now: datetime, *, attempts: int, first_attempt_at: datetime, give_up_seconds: int, relay_down: bool, chance: float
) -> datetime | None:
    """The time of the next attempt after one that failed for now; None to give up.

    The last attempt is at the end of the period, not before it.

    Args:
        attempts: made so far, at least 1, those not counted that met no usable relay.
        chance: random, 0 to 1.
    """
    deadline = first_attempt_at + timedelta(seconds=give_up_seconds)
    if now >= deadline:
        return None
    seconds = _RELAY_DOWN_SECONDS if relay_down else _DELAYS_SECONDS[min(attempts, len(_DELAYS_SECONDS)) - 1]
    return min(now + _jittered(seconds, chance), deadline)


def hold_until(now: datetime, *, held_since: datetime, chance: float) -> datetime:
    """When to look again at a message that may not be sent at present.

    Args:
        now: aware.
        held_since: when it entered the queue.
        chance: random, 0 to 1.
    """
    shortest, longest = _HOLD_SECONDS
    waited = (now - held_since).total_seconds()
    return now + _jittered(min(max(waited, shortest), longest), chance)


def _jittered(seconds: float, chance: float) -> timedelta:
    return timedelta(seconds=seconds * (1 + _JITTER * (2 * chance - 1)))
