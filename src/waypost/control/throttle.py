"""How often something may be tried, by key: the generic cell rate algorithm, one instant per key and no timer."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

# About 10 MB of addresses and keys. Beyond it the one that was tried longest ago is forgotten.
MAX_KEYS = 50_000
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and as many again spread over each period."""

    attempts: int
    per: timedelta


class Throttle:
    """Counts attempts by key, in bounded memory. Safe to share between threads.

    Args:
        rate: what one key may.
        now: the present, aware.
        max_keys: how many keys are remembered.
    """

    def __init__(self, rate: Rate, now: Callable[[], datetime], max_keys: int = MAX_KEYS) -> None:
        self._period = round(rate.per.total_seconds() * _MICROSECONDS)
        self._interval = self._period // rate.attempts
        self._now = now
        self._max_keys = max_keys
        self._lock = threading.Lock()
        self._used_up_until: OrderedDict[str, int] = OrderedDict()
        """When all attempts of a key will have come back, in microseconds; a key that is not here has all of them."""

    def __len__(self) -> int:
        return len(self._used_up_until)

    def take(self, key: str) -> int:
        """Use one attempt: 0; or, when there is none left, the whole seconds until there is one."""
        with self._lock:
            now = round(self._now().timestamp() * _MICROSECONDS)
            until = max(self._used_up_until.get(key, now), now)
            if until > now + self._period:  # the clock was set back: that must not lock anybody out
                until = now
            over = until + self._interval - now - self._period
            if over > 0:
                return -(-over // _MICROSECONDS)
            self._remember(key, until + self._interval)
        return 0

    def give_back(self, key: str) -> None:
        """Undo one `take`: the attempt turned out not to count."""
        with self._lock:
            if key in self._used_up_until:
                self._remember(key, self._used_up_until[key] - self._interval)

    def _remember(self, key: str, until: int) -> None:
        self._used_up_until[key] = until
        self._used_up_until.move_to_end(key)
        if len(self._used_up_until) > self._max_keys:
            self._used_up_until.popitem(last=False)
