"""A profile's DKIM keys, ready to sign with."""

from collections.abc import Iterable
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from waypost.db import ControlKey
from waypost.db.dkim_keys import open_private_key
from waypost.db.tables import DkimKey
from waypost.mime.dkim import Signer

# Opening an RSA key costs as much as signing with it. A key takes about 4 KB; more profiles than these are rarely busy
# at once.
_KEYS_KEPT = 1024


class Signers:
    """Opens keys, and keeps those used lately open. Safe to share between threads."""

    def __init__(self, control_key: ControlKey) -> None:
        self._control_key = control_key
        self._open = lru_cache(maxsize=_KEYS_KEPT)(self._load)

    def of(self, domain: str, keys: Iterable[DkimKey]) -> list[Signer]:
        """Signers for a sending domain (A-labels), in the order of `keys`.

        Raises:
            ControlKeyError: `control.key` does not open them.
        """
        return [Signer(domain, key.selector, self._open(key.selector, key.sealed_private_key)) for key in keys]

    def _load(self, selector: str, sealed: bytes) -> RSAPrivateKey | Ed25519PrivateKey:
        key = load_der_private_key(open_private_key(self._control_key, selector, sealed), None)
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            raise TypeError(f"the DKIM key {selector} is neither RSA nor Ed25519")
        return key
