"""What can go wrong with the files that an edge lives by.

KeyfileError             every error of this package; the message says what to do
├── KeyringMissing       "keyring_missing": no keyring where one is needed
├── KeyringExists        "keyring_exists": a keyring, or data it belongs to, is already there
├── KeyringExposed       "keyring_exposed": other users can read it
├── KeyringUnreadable    "keyring_unreadable": it cannot be read, or is damaged
├── KeyringOutdated      "keyring_outdated": it lacks a key that links were sealed with
├── KeyringUnwritable    "keyring_unwritable": it could not be written
├── SnapshotUnreadable   "snapshot_unreadable": it cannot be read, or is not to be believed
└── SnapshotUnwritable   "snapshot_unwritable": it could not be written
"""

from pathlib import Path
from typing import ClassVar


class KeyfileError(Exception):
    """Base of the errors of `waypost.keyfile`."""

    code: ClassVar[str] = "keyfile_error"

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path


class KeyringMissing(KeyfileError):
    """There is no keyring file."""

    code = "keyring_missing"


class KeyringExists(KeyfileError):
    """A new keyring would take the place of one that links depend on."""

    code = "keyring_exists"


class KeyringExposed(KeyfileError):
    """The file's mode lets group or others at it."""

    code = "keyring_exposed"


class KeyringUnreadable(KeyfileError):
    """The file cannot be opened, or its content is no keyring."""

    code = "keyring_unreadable"


class KeyringOutdated(KeyfileError):
    """An old copy of it, or another keyring: what was published last was made with a key that it lacks."""

    code = "keyring_outdated"


class KeyringUnwritable(KeyfileError):
    """The file could not be written; what was there still is."""

    code = "keyring_unwritable"


class SnapshotUnreadable(KeyfileError):
    """The snapshot cannot be read, or was altered, or is no snapshot."""

    code = "snapshot_unreadable"


class SnapshotUnwritable(KeyfileError):
    """The snapshot could not be written; what was there still is."""

    code = "snapshot_unwritable"
