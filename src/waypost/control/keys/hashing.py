"""How the secrets of API keys are kept: argon2id."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's smallest recommended argon2id setting: secrets of keys are 256 random bits, to which more memory or time adds
# nothing, and passwords have 15 characters at least.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# An unknown key is compared with this, and so takes as long to refuse as a wrong secret.
_NOBODY = _HASHER.hash("")


def hash_secret(secret: str) -> str:
    """The argon2id hash of `secret`, salted, in the PHC string format."""
    return _HASHER.hash(secret)


def secret_matches(secret_hash: str | None, secret: str) -> bool:
    """Whether `secret` has that hash; None, for an unknown key, takes the same time and is False."""
    try:
        return _HASHER.verify(secret_hash or _NOBODY, secret) and secret_hash is not None
    except (VerificationError, InvalidHashError):
        return False
