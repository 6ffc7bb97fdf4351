"""How long to leave a core alone after it failed: a pure rule."""

from typing import Final

FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 15.0
RETRY_AFTER_MAX_SECONDS: Final = 300
"""A core that says more is asked again all the same."""
_DOUBLINGS_MAX: Final = 5


def pause_seconds(failures: int, retry_after_seconds: int | None, chance: float) -> float:
    """Seconds to the next attempt.

    Args:
        failures: in a row, from 1.
        retry_after_seconds: what the core asked for, if it did.
        chance: from 0 to 1, drawn anew: edges that failed together must not come back together.
    """
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * (1 << min(failures - 1, _DOUBLINGS_MAX)))
    pause = longest * (1 + chance) / 2
    if retry_after_seconds is None:
        return pause
    return max(pause, min(retry_after_seconds, RETRY_AFTER_MAX_SECONDS) * (1 + chance / 4))
