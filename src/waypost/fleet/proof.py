"""A proof that a link domain reaches one of our edges: an answer to a nonce that only a holder of the keyring knows."""

import hmac
import re
from typing import Final

from waypost.links.keyring import Key, Keyring

NONCE: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")
"""Too short to be anything but a nonce: an edge signs no text of others."""
_PURPOSE: Final = "proof of edge"
_ANSWER: Final = re.compile(r"(?P<key_id>[0-9]{1,3}) (?P<mac>[0-9a-f]{64})\n?")


def prove(nonce: str, link_domain: str, keyring: Keyring) -> str:
    """What an edge answers to a nonce asked for on a link domain: key id, and an HMAC-SHA256 of both.

    Args:
        nonce: matches `NONCE`.
        link_domain: lower case, no port.
        keyring: its minting key proves.

    Raises:
        ValueError: the nonce does not match.
    """
    if not NONCE.fullmatch(nonce):
        raise ValueError("not a nonce")
    key = keyring.minting
    return f"{key.key_id} {_mac(key, nonce, link_domain)}\n"


def proves(answer: str, nonce: str, link_domain: str, keyring: Keyring) -> bool:
    """Whether `answer` comes from an edge with one of these keys, asked for this nonce on this link domain."""
    match = _ANSWER.fullmatch(answer)
    if match is None:
        return False
    key = next((key for key in keyring.keys if key.key_id == int(match["key_id"])), None)
    return key is not None and hmac.compare_digest(match["mac"], _mac(key, nonce, link_domain))


def _mac(key: Key, nonce: str, link_domain: str) -> str:
    return hmac.digest(key.derive(_PURPOSE), f"{nonce} {link_domain}".encode(), "sha256").hex()
