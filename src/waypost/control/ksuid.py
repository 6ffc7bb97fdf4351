"""KSUID, the 27-character sortable identifier of SMTPD's `send_key` (github.com/segmentio/ksuid, README)."""

KSUID_RANDOM_BYTES = 16
EPOCH_SECONDS = 1_400_000_000
_CHARACTERS = 27  # 62**27 > 2**160
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def ksuid(unix_seconds: int, randomness: bytes) -> str:
    """The KSUID of a second.

    Args:
        unix_seconds: 2014-05-13 to 2150: 32 bits from `EPOCH_SECONDS` on.
        randomness: exactly 16 bytes.
    """
    if len(randomness) != KSUID_RANDOM_BYTES:
        raise ValueError(f"a KSUID takes {KSUID_RANDOM_BYTES} random bytes, not {len(randomness)}")
    number = int.from_bytes((unix_seconds - EPOCH_SECONDS).to_bytes(4) + randomness)
    digits = []
    for _ in range(_CHARACTERS):
        number, digit = divmod(number, len(_BASE62))
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
