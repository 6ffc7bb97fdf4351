"""A wire to a port of this machine that can be cut: connections end, and new ones are closed at once."""

import selectors
import socket
import threading
from contextlib import suppress
from typing import Self


class Wire:
    """Carries bytes both ways, until the end of `with`.

    Args:
        port: where it leads.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._lock = threading.Lock()
        self._cut = False
        self._ends: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        """Where it begins."""
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts; closing alone would not
        self._listener.close()

    def cut(self) -> None:
        """From now on nothing passes."""
        with self._lock:
            self._cut = True
            for end in self._ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """New connections pass again."""
        with self._lock:
            self._cut = False

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", self._to), 5) as far:
            with self._lock:
                if self._cut:
                    return
                self._ends |= {near, far}
            try:
                _exchange(near, far)
            finally:
                with self._lock:
                    self._ends -= {near, far}


def _exchange(near: socket.socket, far: socket.socket) -> None:
    """Until either ends."""
    with selectors.DefaultSelector() as readable:
        readable.register(near, selectors.EVENT_READ, far)
        readable.register(far, selectors.EVENT_READ, near)
        while True:
            for key, _ in readable.select():
                data = key.fileobj.recv(65_536)
                if not data:
                    return
                key.data.sendall(data)
