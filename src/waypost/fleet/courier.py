"""What an edge on a machine of its own and the core say to each other over HTTP.

    GET  /internal/snapshot                If-None-Match: "<MAC>"        the snapshot's bytes, or 304
    GET  /internal/keyring                 If-None-Match: "<digest>"     the keyring as its file has it, or 304
    PUT  /internal/edges/{edge}            Report                        204
    POST /internal/spool/{worker}/{id}     a segment file, gzip          Receipt, once all of it is stored

All with `Authorization: Bearer <credential>`, which `waypost edges add` printed. Refusals are the API's
`{code, message}`; a 503 carries Retry-After.
"""

import hashlib
import re
from typing import Final

import msgspec

from waypost.links.keyring import Keyring

CREDENTIAL_PREFIX: Final = "wpe_"
SEGMENT_BYTES_MAX: Final = 128 << 20
"""Of a segment, unpacked: twice what `spool.segment_bytes` may be, for the batch that goes past it."""
WORKER: Final = re.compile(r"(?P<edge>[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?)-(?P<number>[0-9]{1,4})")
"""Name of a worker: its edge's, and a number."""


class NotNow(Exception):
    """A segment cannot be stored at this moment: the edge keeps it and hands it over again.

    Attributes:
        retry_after_seconds: when to.
    """

    def __init__(self, reason: str, retry_after_seconds: int) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class HeldKey(msgspec.Struct, frozen=True):
    """A link key that an edge has."""

    key_id: int
    fingerprint: str


class HeldByWorker(msgspec.Struct, frozen=True):
    """What one worker opens tokens with, and has been told."""

    name: str
    key_ids: list[int]
    snapshot_version: int
    heartbeat_at_ms: int


class Report(msgspec.Struct, frozen=True):
    """What an edge says of itself."""

    release: str
    keys: list[HeldKey]
    workers: list[HeldByWorker]

    def holds(self, key_id: int, fingerprint: str) -> bool:
        """Whether every worker of this edge opens tokens of a key."""
        return HeldKey(key_id, fingerprint) in self.keys and all(key_id in worker.key_ids for worker in self.workers)


class Receipt(msgspec.Struct, frozen=True):
    """What became of a segment: when the edge has it, the segment may go."""

    stored: int
    """Records that are in the store, whether this time or before."""
    quarantined: int = 0
    """Records that could not be read, or that the store cannot hold: the edge sets the file aside."""
    reason: str = ""
    """`foreign`: it is no segment, set it aside. `version`: of a later release than the core's, keep it. Else empty."""


def keyring_digest(keyring: Keyring) -> str:
    """Tells whether two keyrings are the same."""
    return hashlib.sha256(keyring.dump().encode()).hexdigest()
