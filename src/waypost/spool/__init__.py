"""Where clicks wait for the pipeline: append-only segments on the local disk. Start with README.md beside this file."""

from waypost.spool.errors import SpoolError, SpoolInUseError, UnreadableSegmentError
from waypost.spool.framing import Damage, DamageReason, Segment
from waypost.spool.ledger import Ledger
from waypost.spool.names import DONE_SUFFIX, QUARANTINE_SUFFIX, segment_id
from waypost.spool.reader import purge_done, purge_quarantined, read_segment, replayed_segments, sealed_segments

__all__ = [
    "DONE_SUFFIX",
    "QUARANTINE_SUFFIX",
    "Damage",
    "DamageReason",
    "Ledger",
    "Segment",
    "SpoolError",
    "SpoolInUseError",
    "UnreadableSegmentError",
    "purge_done",
    "purge_quarantined",
    "read_segment",
    "replayed_segments",
    "sealed_segments",
    "segment_id",
]
