"""How the private half of a DKIM key lies in its row: control seals it, mail opens it to sign."""

from waypost.db.control_key import ControlKey
from waypost.db.tables import DkimKey


def seal_private_key(control_key: ControlKey, selector: str, private_key: bytes) -> bytes:
    """What goes into `DkimKey.sealed_private_key` beside this selector.

    Args:
        control_key: of this install.
        selector: which no other key has, so that keys cannot be swapped.
        private_key: PKCS #8, DER.
    """
    return control_key.seal(private_key, _purpose(selector))


def open_private_key(control_key: ControlKey, key: DkimKey) -> bytes:
    """The private key: PKCS #8, DER.

    Raises:
        ControlKeyError: `control.key` is not the one that sealed it, or the row was altered.
    """
    return control_key.open(key.sealed_private_key, _purpose(key.selector))


def _purpose(selector: str) -> str:
    return f"dkim-key {selector}"
