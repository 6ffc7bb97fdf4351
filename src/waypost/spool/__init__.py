"""Where clicks wait for the pipeline: append-only segments on the local disk. Start with README.md beside this file."""

from waypost.spool.errors import SpoolError, SpoolInUseError, UnreadableSegmentError
from waypost.spool.framing import Damage, DamageReason, Segment
from waypost.spool.reader import delete_segment, quarantine_segment, read_segment, sealed_segments

__all__ = [
    "Damage",
    "DamageReason",
    "Segment",
    "SpoolError",
    "SpoolInUseError",
    "UnreadableSegmentError",
    "delete_segment",
    "quarantine_segment",
    "read_segment",
    "sealed_segments",
]
