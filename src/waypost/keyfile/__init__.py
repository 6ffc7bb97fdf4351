"""The files an edge lives by, in the data directory: `keyring.json`, and `snapshot`, what control published last.

The snapshot (`keyfile.snapshot`, `keyfile.watched`) is not imported here: it needs more than the bare install has.
"""

from waypost.keyfile.errors import (
    KeyfileError,
    KeyringExists,
    KeyringExposed,
    KeyringMissing,
    KeyringOutdated,
    KeyringUnreadable,
    KeyringUnwritable,
    SnapshotUnreadable,
    SnapshotUnwritable,
)
from waypost.keyfile.export import export_keyring, record_export, unexported_key_ids
from waypost.keyfile.file import add_key, create_keyring, load_keyring, promote_key
from waypost.keyfile.start import StartedKeyring, check_new_keyring_is_safe, is_empty, keyring_path, start_keyring

__all__ = [
    "KeyfileError",
    "KeyringExists",
    "KeyringExposed",
    "KeyringMissing",
    "KeyringOutdated",
    "KeyringUnreadable",
    "KeyringUnwritable",
    "SnapshotUnreadable",
    "SnapshotUnwritable",
    "StartedKeyring",
    "add_key",
    "check_new_keyring_is_safe",
    "create_keyring",
    "export_keyring",
    "is_empty",
    "keyring_path",
    "load_keyring",
    "promote_key",
    "record_export",
    "start_keyring",
    "unexported_key_ids",
]
