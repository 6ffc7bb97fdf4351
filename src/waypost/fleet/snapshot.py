"""The snapshot: the few facts that control publishes to every edge. Link domains, and what is blocked.

An edge redirects without one. With one it knows where the bare link domain leads, for which names a certificate may be
had, and what to refuse. Text form: one line `waypost-snapshot-1 <key id> <HMAC-SHA256, hex>`, then JSON, which the HMAC
covers. Its key is derived from the link key of that id, so whoever holds the keyring can check it, and nobody else can
make one. The JSON has the link key's fingerprint too, which tells a keyring without that key from a damaged snapshot.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar
from uuid import UUID

import ada_url
import msgspec

from waypost.fleet.errors import SnapshotForged, SnapshotKeyUnknown, SnapshotMalformed
from waypost.links.keyring import Key, Keyring
from waypost.links.token import Payload

_FORMAT: Final = b"waypost-snapshot-1"
_PURPOSE: Final = "snapshot"
_HEADER: Final = re.compile(rb"(?P<format>[a-z0-9-]+) (?P<key_id>[0-9]{1,3}) (?P<mac>[0-9a-f]{64})")
_LINK_DIGEST_BYTES: Final = 16

_S = TypeVar("_S", bound="Snapshot")


class BlockKind(StrEnum):
    """What a block refuses."""

    LINK = "link"
    """One destination in the links of one account, in whatever message and to whomever it was sent."""
    SEND = "send"
    PROFILE = "profile"
    ACCOUNT = "account"
    HOST = "host"
    """A destination's host; `*.` before it means its subdomains."""
    KEY = "key"
    """All tokens sealed with a link key that got into wrong hands."""


class PublishedDomain(msgspec.Struct, frozen=True, omit_defaults=True):
    """A link domain as edges know it."""

    default_redirect: str = ""
    """Where a visit to the bare domain leads; empty: nowhere."""
    sending_domain: str = ""
    """Whose mail its links are in, to say so to a reader who asks."""


class Blocks(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is blocked, by kind. Numbers of accounts and profiles are those in tokens."""

    links: frozenset[str] = frozenset()
    """`link_digest` of each."""
    sends: frozenset[UUID] = frozenset()
    profiles: frozenset[int] = frozenset()
    accounts: frozenset[int] = frozenset()
    hosts: frozenset[str] = frozenset()
    """`evil.example`, or `*.evil.example` for its subdomains; lower case, A-labels."""
    keys: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.links or self.sends or self.profiles or self.accounts or self.hosts or self.keys)

    def blocking(self, payload: Payload, key_id: int) -> BlockKind | None:
        """Which kind of block refuses a token; None when none does.

        Args:
            payload: what the token says.
            key_id: of the key that sealed it.
        """
        return next((kind for kind, blocks in _CHECKS if blocks(self, payload, key_id)), None)

    def blocks_host(self, host: str) -> bool:
        """Whether a host, as `destination_host` writes it, or a domain above it is blocked."""
        if host in self.hosts:
            return True
        labels = host.split(".")
        return any("*." + ".".join(labels[at:]) in self.hosts for at in range(1, len(labels)))


class Snapshot(msgspec.Struct, frozen=True):
    """What control published at one moment."""

    version: int
    """Only ever rises."""
    published_at: datetime
    """Aware, UTC."""
    link_domains: Mapping[str, PublishedDomain] = {}
    """By name: lower case, A-labels, no port."""
    blocks: Blocks = Blocks()


class _Sealed(Snapshot, frozen=True):
    key: str = ""
    """Fingerprint of the key that authenticates it; empty in one of an earlier release."""


def encode_snapshot(snapshot: Snapshot, keyring: Keyring) -> bytes:
    """The text form, authenticated with the minting key, which every edge holds before it mints."""
    key = keyring.minting
    sealed = _Sealed(snapshot.version, snapshot.published_at, snapshot.link_domains, snapshot.blocks, key.fingerprint)
    body = msgspec.json.encode(sealed, order="sorted")
    return b"%s %d %s\n%s" % (_FORMAT, key.key_id, _mac(key, body).encode(), body)


def snapshot_mac(data: bytes) -> str:
    """The MAC of a text form, which tells it from every other: of other facts, or made with another key."""
    return data[: data.index(b"\n")].rpartition(b" ")[2].decode()


def decode_snapshot(data: bytes, keyring: Keyring) -> Snapshot:
    """The snapshot that `encode_snapshot` wrote.

    Raises:
        SnapshotMalformed: it is something else.
        SnapshotKeyUnknown: whole, as far as can be told, and made with a key that this keyring lacks.
        SnapshotForged: altered, or made without the key.
    """
    header, newline, body = data.partition(b"\n")
    match = _HEADER.fullmatch(header)
    if match is None or not newline or match["format"] != _FORMAT:
        raise SnapshotMalformed(f"it does not begin with {_FORMAT.decode()}, a key id and a MAC")
    key_id = int(match["key_id"])
    key = next((key for key in keyring.keys if key.key_id == key_id), None)
    if key is None or not hmac.compare_digest(match["mac"].decode(), _mac(key, body)):
        # What nobody vouches for only tells why it is refused.
        made_with = _parse(body, _Sealed).key
        if made_with not in {held.fingerprint for held in keyring.keys} and (made_with or key is None):
            raise SnapshotKeyUnknown(key_id, other=key is not None)
        raise SnapshotForged("its MAC does not fit: it was altered, or made by somebody without the key")
    return _parse(body, Snapshot)


def _parse(body: bytes, kind: type[_S]) -> _S:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise SnapshotMalformed(f"it cannot be understood: {error}") from error


def link_digest(account: int, destination: str) -> str:
    """What a snapshot says of a blocked link instead of its URL: edges need not know what is blocked until it comes."""
    return hashlib.blake2b(f"{account} {destination}".encode(), digest_size=_LINK_DIGEST_BYTES).hexdigest()


def destination_host(destination: str) -> str:
    """The host that a browser would go to, in the one spelling it has there (WHATWG URL, section 3.5).

    So that no spelling of a blocked one passes: `%65vil.example`, a soft hyphen in it, an address as one octal number.
    A-labels, without final dot; an IPv6 address keeps its brackets. Empty for a URL that no browser would open.
    """
    try:
        return ada_url.URL(destination).hostname.removesuffix(".")
    except ValueError:
        return ""


_CHECKS: Final[tuple[tuple[BlockKind, Callable[[Blocks, Payload, int], bool]], ...]] = (
    (BlockKind.KEY, lambda blocks, _, key_id: key_id in blocks.keys),
    (BlockKind.ACCOUNT, lambda blocks, payload, _: payload.account in blocks.accounts),
    (BlockKind.PROFILE, lambda blocks, payload, _: payload.profile in blocks.profiles),
    (BlockKind.SEND, lambda blocks, payload, _: payload.send_id in blocks.sends),
    (
        BlockKind.HOST,
        lambda blocks, payload, _: bool(blocks.hosts) and blocks.blocks_host(destination_host(payload.destination)),
    ),
    (
        BlockKind.LINK,
        lambda blocks, payload, _: (
            bool(blocks.links) and link_digest(payload.account, payload.destination) in blocks.links
        ),
    ),
)


def _mac(key: Key, body: bytes) -> str:
    return hmac.digest(key.derive(_PURPOSE), _FORMAT + b"\n" + body, "sha256").hex()
