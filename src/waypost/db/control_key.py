"""`control.key`: seals the secrets in the control database, so that a copy of it alone signs and decrypts nothing."""

import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from waypost.db.errors import ControlKeyError

CONTROL_KEY_FILE = "control.key"
KEY_BYTES = 32
NONCE_BYTES = 12  # NIST SP 800-38D, section 8.2; random ones are safe for 2**32 secrets under one key


class ControlKey:
    """AES-256-GCM under the bytes of `control.key`."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._key = key

    def __repr__(self) -> str:
        return "ControlKey(***)"

    def seal(self, secret: bytes, purpose: str) -> bytes:
        """Nonce and ciphertext of `secret`; it opens only for the same `purpose`, so rows cannot be swapped."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """The secret again.

        Raises:
            ControlKeyError: sealed with another key, for another purpose, or altered.
        """
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose.encode())
        except (InvalidTag, ValueError) as error:  # ValueError: too short to hold a nonce
            raise ControlKeyError(
                f"{CONTROL_KEY_FILE} is not the key that sealed the secrets in the control database ({purpose}): "
                f"restore the {CONTROL_KEY_FILE} that belongs to it"
            ) from error

    def digest(self, value: bytes, purpose: str) -> bytes:
        """32 bytes that tell values of one purpose apart, and nothing of them without the key (HMAC-SHA-256)."""
        key = hmac.digest(self._key, f"digest: {purpose}".encode(), hashlib.sha256)
        return hmac.digest(key, value, hashlib.sha256)


def load_control_key(data: Path) -> ControlKey:
    """Read `control.key` of the data directory.

    Raises:
        ControlKeyError: missing, readable by others, or not 32 bytes in hex.
    """
    path = data / CONTROL_KEY_FILE
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_text("ascii")
    except FileNotFoundError as error:
        raise ControlKeyError(f"{path} is missing: restore it from your backup") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ControlKeyError(f"{path} cannot be read: {error}") from error
    if mode & 0o077:
        raise ControlKeyError(f"{path} can be read by others (mode {mode:o}): chmod 600 {path}")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ControlKeyError(f"{path} does not hold a control key ({KEY_BYTES} bytes in hex): restore it")
    return ControlKey(key)


def create_control_key(data: Path) -> ControlKey:
    """Write a new random `control.key`, mode 0600, on the disk before it returns: whole, or not at all.

    Raises:
        FileExistsError: there is one already; it is never overwritten.
    """
    key = secrets.token_bytes(KEY_BYTES)
    descriptor, unfinished = tempfile.mkstemp(prefix=f".{CONTROL_KEY_FILE}.", dir=data)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.hex() + "\n")
            file.flush()
            os.fsync(descriptor)
        os.link(unfinished, data / CONTROL_KEY_FILE)  # unlike a rename, fails where there is one
    finally:
        Path(unfinished).unlink()
    directory = os.open(data, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return ControlKey(key)
