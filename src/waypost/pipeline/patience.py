"""How long a mutation may say that it is stuck."""

from collections.abc import Callable
from typing import Final

# One that fails is tried again by the engine; for so long it may, after a restart for example.
_STUCK_SECONDS: Final = 60.0


class Patience:
    """With a mutation that goes on: none is waited for for ever that says that it cannot."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic` gives seconds."""
        self._monotonic = monotonic
        self._stuck_since: float | None = None

    def is_over(self, problem: str | None) -> bool:
        """Whether to give up; to be asked at each look, `problem` as `going_on` says it."""
        if not problem:
            self._stuck_since = None
            return False
        now = self._monotonic()
        if self._stuck_since is None:
            self._stuck_since = now
        return now - self._stuck_since > _STUCK_SECONDS
