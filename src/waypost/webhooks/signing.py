"""Signatures of Standard Webhooks (version 1.0.0 of the specification, symmetric keys): pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32  # the specification: 24 to 64


def secret_text(secret: bytes) -> str:
    """A secret as its owner has it."""
    return PREFIX + base64.b64encode(secret).decode()


def secret_bytes(text: str) -> bytes:
    """The key of a secret's text.

    Raises:
        ValueError: it is none of ours.
    """
    if not text.startswith(PREFIX):
        raise ValueError(f"a webhook secret begins with {PREFIX}")
    try:
        return base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("a webhook secret is base64") from error


def headers(message_id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers that a receiver verifies.

    Args:
        message_id: the same at every attempt; without a full stop, which parts the signed fields.
        at: of this attempt.
        body: as it goes onto the wire.
        secrets: the text of each that is live; while one is replaced, both sign.
    """
    timestamp = str(int(at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = [hmac.new(secret_bytes(secret), signed, hashlib.sha256).digest() for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join("v1," + base64.b64encode(signature).decode() for signature in signatures),
    }
