"""What can go wrong with a spool.

    SpoolError
    ├── SpoolInUseError            another process owns the directory
    └── UnreadableSegmentError     nothing in the file can be trusted, or it is of a later version

Damage to single records is not an error but a value: `waypost.spool.framing.Damage`.
"""

from pathlib import Path


class SpoolError(Exception):
    """Base of this package's errors."""

    code: str = "spool_error"


class SpoolInUseError(SpoolError):
    """Another process holds the lock of this spool directory."""

    code = "spool_in_use"

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"the spool directory {directory} is in use by another process: stop it, or give this worker another number"
        )
        self.directory = directory


class UnreadableSegmentError(SpoolError):
    """No record of a segment can be read.

    Attributes:
        reason: `foreign` (not a segment, or damaged beyond its first record) or `version` (written by a later release;
            upgrade the reader, the file is whole).
        known: records it had, when a foreign one's trailer still says so; else 0.
    """

    code = "unreadable_segment"

    def __init__(self, segment: str, reason: str, known: int = 0) -> None:
        super().__init__(f"segment {segment} cannot be read: {reason}")
        self.segment = segment
        self.reason = reason
        self.known = known
