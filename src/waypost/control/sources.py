"""Where time and randomness come from: the only two things a service cannot be told in its arguments' values."""

import os
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from waypost.control.ksuid import KSUID_RANDOM_BYTES, ksuid
from waypost.events.ids import uuid7

# RFC 8301, section 3.2: at least 1024, should be 2048. Longer ones do not fit into the DNS forms of some providers.
RSA_BITS = 2048
_RSA_EXPONENT = 65537  # RFC 8017; what OpenSSL's own tools use


def new_rsa_private_key() -> RSAPrivateKey:
    """Make a key for signatures; OpenSSL takes its randomness from the system by itself."""
    return generate_private_key(_RSA_EXPONENT, RSA_BITS)


@dataclass(frozen=True, slots=True)
class Sources:
    """A clock, a source of random bytes, and one of RSA keys."""

    clock: Callable[[], datetime]
    """The present, aware."""
    random_bytes: Callable[[int], bytes]
    """That many unpredictable bytes."""
    rsa_private_key: Callable[[], RSAPrivateKey] = new_rsa_private_key
    """A new key; it takes long to find one, a tenth of a second or a few."""

    def now(self) -> datetime:
        """The present, UTC."""
        return self.clock().astimezone(UTC)

    def public_id(self) -> UUID:
        """A random UUID (version 4) that tells nothing."""
        return UUID(bytes=self.random_bytes(16), version=4)

    def event_id(self, at: datetime) -> UUID:
        """A UUID that sorts by time (version 7)."""
        return uuid7(int(at.timestamp() * 1000), self.random_bytes(10))

    def ksuid(self, at: datetime) -> str:
        """A KSUID: 27 characters, sorts by time."""
        return ksuid(int(at.timestamp()), self.random_bytes(KSUID_RANDOM_BYTES))

    def token(self, size_bytes: int = 32) -> str:
        """Random text for a URL or a header: base64url, no padding."""
        return urlsafe_b64encode(self.random_bytes(size_bytes)).rstrip(b"=").decode()


SYSTEM = Sources(clock=lambda: datetime.now(UTC), random_bytes=os.urandom)
