"""What a worker knows between requests, kept new by a thread that looks at keyring and snapshot: no request waits."""

import logging
from pathlib import Path
from threading import Event, Thread

from waypost.edge.decide import Edge
from waypost.edge.forwarded import Front
from waypost.keyfile.watched import LOOK_SECONDS, WatchedKeyring, WatchedSnapshot

log = logging.getLogger(__name__)


class WatchedFacts:
    """The newest facts; looking begins with `start` and ends with the process.

    Args:
        name: of this worker.
        front: which proxies are trusted.
        keyring: file of the link keys.
        snapshot: file of what control published.

    Raises:
        KeyfileError: there is no usable keyring.
    """

    def __init__(self, name: str, front: Front, keyring: Path, snapshot: Path) -> None:
        self._name = name
        self._front = front
        self._keyring = WatchedKeyring(keyring)
        self._snapshot = WatchedSnapshot(snapshot, lambda: self._keyring.keyring)
        self._facts = self._gather()
        self._stopped = Event()

    def __call__(self) -> Edge:
        """The facts as they are now."""
        return self._facts

    def start(self) -> None:
        """Look from now on, on a thread of its own: a disk that hangs must not hang the requests."""
        Thread(target=self._watch, name="facts", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def look(self) -> None:
        """Look once."""
        # Both are asked: the snapshot may be waiting for the key it was made with.
        changed = [self._keyring.look(), self._snapshot.look()]
        if any(changed):
            self._facts = self._gather()

    def _gather(self) -> Edge:
        return Edge(self._name, self._keyring.keyring, self._snapshot.snapshot, self._front)

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception:
                log.exception("keyring and snapshot could not be looked at")
