"""What webhooks did since the process started, for metrics."""

import threading
from collections import Counter
from collections.abc import Mapping

from waypost.db.states import AttemptOutcome


class Counts:
    """Counters, safe to read while several threads raise them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: Counter[AttemptOutcome] = Counter()
        self._noted = 0
        self._disabled = 0

    def noted(self, notices: int) -> None:
        """So many messages were noted for an endpoint, each for the first time."""
        with self._lock:
            self._noted += notices

    def attempted(self, outcome: AttemptOutcome) -> None:
        """An attempt was made."""
        with self._lock:
            self._attempts[outcome] += 1

    def disabled(self) -> None:
        """An endpoint was given up."""
        with self._lock:
            self._disabled += 1

    @property
    def notices(self) -> int:
        """Messages noted."""
        with self._lock:
            return self._noted

    @property
    def attempts(self) -> Mapping[AttemptOutcome, int]:
        """Attempts by what came of them, every outcome present."""
        with self._lock:
            return {outcome: self._attempts[outcome] for outcome in AttemptOutcome}

    @property
    def endpoints_disabled(self) -> int:
        """Endpoints given up."""
        with self._lock:
            return self._disabled
