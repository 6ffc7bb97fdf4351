"""The keyring an edge opens tokens with, read again when it lacks a key and the file has changed.

Not on a signal and not by a watcher: a token sealed with a new key is itself the news that there is one.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from waypost.keyfile import load_keyring
from waypost.keyfile.errors import KeyfileError

RECHECK_SECONDS = 0.5
"""Forged tokens naming unknown keys cost the edge two looks at the file a second, no more."""

log = logging.getLogger(__name__)


class KeyringFile:
    """A keyring and the file it came from.

    Args:
        path: keyring file.
        monotonic: seconds.

    Raises:
        KeyfileError: it cannot be read.
    """

    def __init__(self, path: Path, monotonic: Callable[[], float]) -> None:
        self._path = path
        self._monotonic = monotonic
        self._stamp = self._look()
        self._checked_at = monotonic()
        self.keyring = load_keyring(path)

    def reload(self) -> bool:
        """Read the file again if it changed. True when the keyring is another one now; a bad file changes nothing."""
        if self._monotonic() - self._checked_at < RECHECK_SECONDS:
            return False
        self._checked_at = self._monotonic()
        stamp = self._look()
        if stamp == self._stamp:
            return False
        try:
            self.keyring = load_keyring(self._path)
        except KeyfileError as error:
            log.error("the changed keyring is not used: %s", error)  # noqa: TRY400 -- the message says it all
            return False
        self._stamp = stamp
        log.info("keyring read again: %d keys", len(self.keyring.keys))
        return True

    def _look(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
