"""Keyring and snapshot from the core into their files.

A file is replaced only by what is good, and never by less: keys are added, a snapshot's version rises. A file that
somebody replaced meanwhile, say with an old backup, is asked for anew.
"""

import logging
from pathlib import Path
from typing import Final

from waypost.agent.core import Core, Fetched, read_keyring, read_snapshot
from waypost.agent.errors import CoreConfused
from waypost.keyfile import KeyfileError, keyring_path, load_keyring
from waypost.keyfile.file import changing, file_stamp, replace_file
from waypost.keyfile.snapshot import load_snapshot, snapshot_path
from waypost.links.keyring import Keyring

log = logging.getLogger(__name__)


class Documents:
    """The two files of a data directory, which exists.

    Args:
        core: to ask.
        data: data directory.

    Attributes:
        keyring_refused: why its keyring is not taken; empty when it is.
        snapshot_refused: likewise.
    """

    def __init__(self, core: Core, data: Path) -> None:
        self._core = core
        self._keyring = _Known(keyring_path(data))
        self._snapshot = _Known(snapshot_path(data))
        self.keyring_refused = ""
        self.snapshot_refused = ""

    def fetch(self) -> None:
        """Ask for both once.

        Raises:
            CoreError: one cannot be had.
            OSError: it cannot be written.
            KeyfileError: the keyring here is damaged.
        """
        # In this order: the snapshot may be made with a key that comes with the keyring.
        fetched = self._core.keyring(self._keyring.etag())
        if fetched is not None:
            self.keyring_refused = _said_once(self._take_keyring(fetched), self.keyring_refused)
        fetched = self._core.snapshot(self._snapshot.etag())
        if fetched is not None:
            self.snapshot_refused = _said_once(self._take_snapshot(fetched), self.snapshot_refused)

    def _take_keyring(self, fetched: Fetched) -> str:
        path = self._keyring.path
        offered = read_keyring(fetched)
        with changing(path):
            held = load_keyring(path) if path.exists() else None
            if held is not None and (reason := refusal_of(held, offered)):
                return reason
            if offered != held:
                replace_file(path, offered.dump())
                log.info("keyring fetched: %d keys", len(offered.keys))
            self._keyring.is_here(fetched)
        return ""

    def _take_snapshot(self, fetched: Fetched) -> str:
        path = self._snapshot.path
        keyring = load_keyring(self._keyring.path)
        try:
            offered = read_snapshot(fetched, keyring)
        except CoreConfused as error:
            return str(error)
        with changing(path):
            try:
                held = load_snapshot(path, keyring)
            except KeyfileError:
                held = None  # this one replaces it
            if held is not None and offered.version < held.version:
                return f"the snapshot of {self._core.url} is older than the one here and is not used"
            replace_file(path, fetched.data.decode())
            self._snapshot.is_here(fetched)
        return ""


class _Known:
    """A file, and what the core calls what was written to it last."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._etag = ""
        self._stamp: object = None

    def etag(self) -> str:
        """What the core calls the document in the file; empty when it is not known to be one of the core's."""
        return self._etag if file_stamp(self.path) == self._stamp else ""

    def is_here(self, fetched: Fetched) -> None:
        """The file holds this now."""
        self._etag, self._stamp = fetched.etag, file_stamp(self.path)


def refusal_of(held: Keyring, offered: Keyring) -> str:
    """Why a keyring is not taken in place of the one here; empty when it is. Links sealed with a lost key are dead."""
    theirs = {key.key_id: key.secret for key in offered.keys}
    missing = [str(key.key_id) for key in held.keys if key.key_id not in theirs]
    other = [str(key.key_id) for key in held.keys if theirs.get(key.key_id, key.secret) != key.secret]
    if missing:
        return f"the core's keyring is not used: it lacks key {', '.join(missing)}, which links here may need"
    if other:
        return f"the core's keyring is not used: its key {', '.join(other)} is another one than that here"
    return ""


def _said_once(reason: str, before: str) -> str:
    if reason and reason != before:
        log.error("%s", reason)
    return reason
