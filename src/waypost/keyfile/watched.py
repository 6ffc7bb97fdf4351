"""Keyring and snapshot of a running process, read again when their files change.

Looking is up to the owner, who does it twice a second on a thread of its own: a disk that hangs must hang nothing else.
A file that is bad or gone changes nothing: what was good last stays, and the log says so once. One that could not be
read is tried again at the next look, whether it changes or not.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from waypost.keyfile.errors import KeyfileError
from waypost.keyfile.file import file_stamp, load_keyring
from waypost.keyfile.snapshot import load_snapshot
from waypost.links.keyring import Keyring

if TYPE_CHECKING:
    from waypost.fleet.snapshot import Snapshot

LOOK_SECONDS: Final = 0.5

log = logging.getLogger(__name__)


class WatchedKeyring:
    """A keyring and the file it came from.

    Args:
        path: keyring file.

    Attributes:
        keyring: the newest good one.
        problem: why what the file holds now is not used, in a sentence; empty when it is.

    Raises:
        KeyfileError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = file_stamp(path)
        self.keyring = load_keyring(path)
        self.problem = ""

    def look(self) -> bool:
        """Read the file again if it changed. True when the keyring is another one now."""
        stamp = file_stamp(self._path)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            keyring = load_keyring(self._path)
        except KeyfileError as error:
            if isinstance(error.__cause__, OSError):
                self._stamp = None
            return self._refuse(str(error))
        offered = {key.key_id: key.secret for key in keyring.keys}
        lost = [str(key.key_id) for key in self.keyring.keys if offered.get(key.key_id) != key.secret]
        if lost:
            return self._refuse(
                f"The keyring {self._path} lacks key {', '.join(lost)}, or has another in its place. The one before is "
                "in use until the next restart: put the newest copy back before."
            )
        changed = keyring != self.keyring
        self.keyring, self.problem = keyring, ""
        if changed:
            log.info("keyring read again: %d keys, minting with %d", len(keyring.keys), keyring.minting.key_id)
        return changed

    def _refuse(self, problem: str) -> bool:
        if problem != self.problem:
            log.error("the changed keyring is not used: %s", problem)
        self.problem = problem
        return False


class WatchedSnapshot:
    """A snapshot and the file it comes from; neither need be there.

    Args:
        path: snapshot file.
        keyring: the newest one, asked at each look.

    Attributes:
        snapshot: the newest good one; None: there was none yet.
        problem: why what the file holds now is not used, in a sentence; empty when it is, or there is none.
    """

    def __init__(self, path: Path, keyring: Callable[[], Keyring]) -> None:
        self._path = path
        self._keyring = keyring
        self._seen: tuple[object, Keyring] | None = None
        self.problem = ""
        self.snapshot: Snapshot | None = None
        self.look()

    def look(self) -> bool:
        """Read the file if it, or the keyring it is checked with, changed. True when the snapshot is another one now.

        A version below the one that is held is refused: an old snapshot put back would lift blocks.
        """
        keyring = self._keyring()
        seen = (file_stamp(self._path), keyring)
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            snapshot = load_snapshot(self._path, keyring)
        except KeyfileError as error:
            if isinstance(error.__cause__, OSError):
                self._seen = None
            return self._refuse(str(error))
        held = self.snapshot
        if snapshot is None or snapshot == held:
            self.problem = ""
            return False
        if held is not None and snapshot.version < held.version:
            return self._refuse(f"The snapshot {self._path} is older than the one in use and is not used.")
        self.snapshot = snapshot
        self.problem = ""
        return True

    def _refuse(self, problem: str) -> bool:
        if problem != self.problem:
            log.error("%s", problem)
        self.problem = problem
        return False
