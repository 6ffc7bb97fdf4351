"""The keys that seal and open tokens.

A keyring is a value: it knows no file (that is `waypost.keyfile`), no clock and no randomness. Keys are added and
promoted, never removed, because every link ever sent must open for ever; so there is no method that removes one.

Each key is 64 bytes: AES-SIV with two AES-256 keys (RFC 5297 calls it AEAD_AES_SIV_CMAC_512). It makes tokens no longer
and no slower than the 32-byte form, and links outlive the mail they were sent in by decades.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Self

from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from waypost.links.errors import InvalidKeyring

SECRET_BYTES: Final = 64
KEY_IDS: Final = range(1, 256)
"""One byte of each token. 0 is never issued, so that a zeroed header names no key."""

_FORMAT: Final = "waypost-keyring-1"


class KeyState(StrEnum):
    """What a key is used for."""

    MINTING = "minting"
    """Seals new tokens, and opens. Exactly one key of a keyring."""
    OPENING = "opening"
    """Opens what was sealed with it: a retired key, or a new one on its way to every edge."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Args:
        key_id: 1 to 255; stands in each token sealed with this key.
        secret: 64 bytes.
        state: minting or opening.
    """

    key_id: int
    secret: bytes = field(repr=False)
    state: KeyState

    def __post_init__(self) -> None:
        if self.key_id not in KEY_IDS:
            raise InvalidKeyring(f"key id {self.key_id} is not between {KEY_IDS[0]} and {KEY_IDS[-1]}")
        if len(self.secret) != SECRET_BYTES:
            raise InvalidKeyring(f"key {self.key_id} has {len(self.secret)} bytes, not {SECRET_BYTES}")

    @property
    def fingerprint(self) -> str:
        """Eight hex digits that tell keys apart without telling the key: to compare machines, to notice damage."""
        return hashlib.sha256(b"waypost key\0" + bytes([self.key_id]) + self.secret).hexdigest()[:8]

    def derive(self, purpose: str) -> bytes:
        """32 bytes for another use than tokens, which tell nothing about this key or about one of another purpose."""
        return hmac.digest(self.secret, b"waypost derived key\0" + purpose.encode(), "sha256")


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys by ascending key id, exactly one of them minting.

    Raises:
        InvalidKeyring: no key, ids out of order or twice, the same secret twice, or not exactly one minting key.
    """

    keys: tuple[Key, ...]
    ciphers: dict[int, AESSIV] = field(init=False, repr=False, compare=False)
    """By key id; made once, as setting up a cipher costs as much as a seal."""

    def __post_init__(self) -> None:
        ids = [key.key_id for key in self.keys]
        if ids != sorted(set(ids)):
            raise InvalidKeyring("key ids are not in ascending order, each once")
        if len({key.secret for key in self.keys}) != len(self.keys):
            raise InvalidKeyring("two keys have the same secret")
        minting = sum(key.state is KeyState.MINTING for key in self.keys)
        if minting != 1:
            raise InvalidKeyring(f"{minting} keys are minting; exactly one must be")
        object.__setattr__(self, "ciphers", {key.key_id: AESSIV(key.secret) for key in self.keys})

    @classmethod
    def new(cls, secret: bytes) -> Self:
        """A keyring with one key, which mints."""
        return cls((Key(KEY_IDS[0], secret, KeyState.MINTING),))

    @property
    def minting(self) -> Key:
        """The key that seals new tokens."""
        return next(key for key in self.keys if key.state is KeyState.MINTING)

    def add(self, secret: bytes) -> Self:
        """This keyring and one more key, which opens only until it is promoted.

        Raises:
            InvalidKeyring: all 255 key ids are taken, or the secret is no good.
        """
        key_id = self.keys[-1].key_id + 1
        if key_id not in KEY_IDS:
            raise InvalidKeyring("no key id is left: a keyring holds at most 255 keys")
        return replace(self, keys=(*self.keys, Key(key_id, secret, KeyState.OPENING)))

    def promote(self, key_id: int) -> Self:
        """The same keys, with this one minting and the others opening.

        Every edge must hold the key first, or new links fail there.

        Raises:
            InvalidKeyring: there is no such key.
        """
        states = {True: KeyState.MINTING, False: KeyState.OPENING}
        return replace(self, keys=tuple(replace(key, state=states[key.key_id == key_id]) for key in self.keys))

    def dump(self) -> str:
        """The text form: JSON, one key a line, secrets as unpadded base64url. Whoever has it can forge links."""
        lines = ",\n".join("    " + json.dumps(_key_to_json(key)) for key in self.keys)
        return f'{{\n  "format": "{_FORMAT}",\n  "keys": [\n{lines}\n  ]\n}}\n'

    @classmethod
    def parse(cls, text: str) -> Self:
        """The keyring that `dump` wrote.

        Raises:
            InvalidKeyring: anything else: a damaged secret, a field missing or unknown, a later format.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidKeyring("not JSON") from error
        if not isinstance(document, dict) or document.keys() != {"format", "keys"}:
            raise InvalidKeyring('not an object of "format" and "keys"')
        if document["format"] != _FORMAT:
            raise InvalidKeyring(f'the format is {document["format"]!r}, not "{_FORMAT}"')
        if not isinstance(document["keys"], list):
            raise InvalidKeyring('"keys" is not a list')
        return cls(tuple(_keys_from_json(document["keys"])))


def _key_to_json(key: Key) -> dict[str, Any]:
    secret = base64.urlsafe_b64encode(key.secret).rstrip(b"=").decode()
    return {"key_id": key.key_id, "state": key.state.value, "secret": secret, "fingerprint": key.fingerprint}


def _keys_from_json(entries: Iterable[Any]) -> Iterable[Key]:
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or entry.keys() != {"key_id", "state", "secret", "fingerprint"}:
            raise InvalidKeyring(f'key number {number} is not an object of "key_id", "state", "secret", "fingerprint"')
        if type(entry["key_id"]) is not int:
            raise InvalidKeyring(f"the id of key number {number} is not a number")
        try:
            written = str(entry["secret"])
            secret = base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)
            key = Key(entry["key_id"], secret, KeyState(entry["state"]))
        except (binascii.Error, ValueError) as error:
            raise InvalidKeyring(f"key number {number}: {error}") from error
        if key.fingerprint != entry["fingerprint"]:
            raise InvalidKeyring(f"the secret of key {key.key_id} is damaged: its fingerprint does not fit")
        yield key
