"""What the pipeline did since it started. The values are metric labels.

Conservation: every hit an edge answered is stored, still spooled, quarantined or counted lost. `STORED` counts new rows
only, so it adds up across restarts; the store and the spool directory hold the truth.
"""

import threading
from collections import Counter
from enum import StrEnum


class Count(StrEnum):
    """What is counted."""

    STORED = "stored"
    """Hits inserted."""
    REPEATED = "repeated"
    """Hits found stored already: their collector died, or failed, before it deleted the segment."""
    DAMAGED = "damaged"
    """Hits that could not be read; their segment is quarantined. At least so many, when its end is missing."""
    REFUSED = "refused"
    """Hits that the store cannot hold; their segment is quarantined."""
    QUARANTINED_SEGMENTS = "quarantined_segments"
    SKIPPED_SEGMENTS = "skipped_segments"
    """Segments left where they are: of a later version, or unreadable for now."""
    UNENRICHED = "unenriched"
    """Hits stored without what a failed enrichment step would have said."""
    SETTLED = "settled"
    """Hits that got their final verdict, some of them again."""
    RECLASSIFIED = "reclassified"
    """Of those, hits that were taken for something else before."""
    SENDS = "sends"
    SEND_EVENTS = "send_events"
    """Send events inserted; one handed over again is not counted again."""
    UNREADABLE_FACTS = "unreadable_facts"
    """Outbox rows left where they are because they cannot be understood or stored."""


class Counts:
    """Counters, safe to read while the pipeline's thread raises them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counter: Counter[Count] = Counter()

    def add(self, count: Count, amount: int = 1) -> None:
        """Raise one count."""
        with self._lock:
            self._counter[count] += amount

    def snapshot(self) -> dict[Count, int]:
        """Every count, zero or not, at one instant."""
        with self._lock:
            return {count: self._counter[count] for count in Count}
