"""What can go wrong in `waypost.links`.

    LinkError                   every error of this package
    ├── TokenError              a text that does not open; `code` says why
    │   ├── Malformed           "malformed": not a token of any version known here
    │   ├── UnknownKey          "unknown_key": sealed with a key that is not in this keyring
    │   └── BadSeal             "bad_seal": altered, cut, forged, or sealed for another link domain
    ├── InvalidPayload          "invalid_payload": this must not be sealed (also a ValueError)
    └── InvalidKeyring          "invalid_keyring": not a keyring (also a ValueError)

`code` is for metrics and logs of the operator. Nothing outside may learn which `TokenError` it was: the difference
between an unknown key and a bad seal tells a forger which key ids exist.
"""

from typing import ClassVar


class LinkError(Exception):
    """Base of the errors of `waypost.links`."""

    code: ClassVar[str] = "link_error"


class TokenError(LinkError):
    """A text that does not open."""

    code = "token_error"


class Malformed(TokenError):
    """Not a token: alphabet, length, version, or a field that no sealer of ours writes."""

    code = "malformed"


class UnknownKey(TokenError):
    """The token names a key that the keyring does not hold."""

    code = "unknown_key"

    def __init__(self, key_id: int) -> None:
        super().__init__(f"the keyring has no key {key_id}")
        self.key_id = key_id


class BadSeal(TokenError):
    """The seal does not fit the content, the key or the link domain."""

    code = "bad_seal"


class InvalidPayload(LinkError, ValueError):
    """A payload or link domain that must not be sealed, because it would not open."""

    code = "invalid_payload"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


class InvalidKeyring(LinkError, ValueError):
    """Keys that do not make a keyring."""

    code = "invalid_keyring"
