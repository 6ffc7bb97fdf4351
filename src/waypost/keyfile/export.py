"""Copies of the keyring, and whether there is one: without the keys, every link sent is lost with the machine."""

import json
from datetime import datetime
from pathlib import Path
from typing import Final

from waypost.keyfile.errors import KeyringExists
from waypost.keyfile.file import load_keyring, replace_file, write_new_file
from waypost.links.keyring import Keyring

_RECORD: Final = "keyring-exported.json"
"""Beside the keyring; holds fingerprints, no secret."""


def export_keyring(path: Path, target: Path, *, now: datetime) -> Keyring:
    """Copy the keyring to a new file of mode 0600, and record that this was done.

    Raises:
        KeyfileError: as `load_keyring`.
        KeyringExists: there is a file at the target.
        OSError: the target cannot be written; nothing is left of it, and nothing is recorded.
    """
    keyring = load_keyring(path)
    try:
        write_new_file(target, keyring.dump())
    except FileExistsError as error:
        raise KeyringExists(target, f"There is a file at {target}; give another name.") from error
    record_export(path, keyring, now=now)
    return keyring


def record_export(path: Path, keyring: Keyring, *, now: datetime) -> None:
    """Note that a copy of these keys was made (aware time)."""
    record = {"exported_at": now.isoformat(), "fingerprints": [key.fingerprint for key in keyring.keys]}
    replace_file(path.with_name(_RECORD), json.dumps(record, indent=2) + "\n")


def unexported_key_ids(path: Path, keyring: Keyring) -> tuple[int, ...]:
    """The keys of which no copy was ever made, as far as is known here.

    A record that is missing or damaged counts as none: the reminder that follows does no harm.
    """
    try:
        exported = set(json.loads(path.with_name(_RECORD).read_text(encoding="utf-8"))["fingerprints"])
    except (OSError, ValueError, LookupError, TypeError):
        exported = set()
    return tuple(key.key_id for key in keyring.keys if key.fingerprint not in exported)
