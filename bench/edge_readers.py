"""Readers who come when they come: python -m bench.edge_readers PORT RATE SECONDS CLICKS

They come independently of each other and of the answers (a Poisson process, the same one each time), and the time of
each counts from when she was due. A server that stalls is charged for every reader it kept waiting, also for those that
this program sent late because of it. Prints JSON.
"""

import itertools
import json
import random
import re
import socket
import sys
import threading
import time
from pathlib import Path

from bench.edge_load import HEADERS, HOST, PATIENCE_SECONDS

THREADS = 128
"""Readers at once, each on a kept connection: at 1,000 a second enough for a stall of a tenth of a second."""
START_SECONDS = 0.5
"""Until every thread is there and connected."""
SEED = 5
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Readers:
    """All of them.

    Args:
        port: of HTTP on this machine.
        due: when each comes, in seconds from the start.
        paths: what they ask for, in turn.
    """

    def __init__(self, port: int, due: list[float], paths: list[str]) -> None:
        self._port = port
        self._due = due
        self._paths = paths
        self._numbers = itertools.count()
        headers = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        self._rest = f" HTTP/1.1\r\nHost: {HOST}\r\n{headers}\r\n"
        self.late_ms: list[float] = []
        """How much after she was due each reader was sent on her way."""
        self.took_ms: list[float] = []
        self.wrong: list[str] = []

    def come(self) -> None:
        """Return when all are answered."""
        start = time.perf_counter() + START_SECONDS
        threads = [threading.Thread(target=self._serve, args=(start,)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _serve(self, start: float) -> None:
        with socket.create_connection(("127.0.0.1", self._port), PATIENCE_SECONDS) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (number := next(self._numbers)) < len(self._due):
                due = start + self._due[number]
                time.sleep(max(0.0, due - time.perf_counter()))
                self.late_ms.append((time.perf_counter() - due) * 1000)
                answer = self._ask(connection, self._paths[number % len(self._paths)])
                self.took_ms.append((time.perf_counter() - due) * 1000)
                if not answer.startswith(b"HTTP/1.1 302 "):
                    self.wrong.append(answer[:200].decode("latin-1"))

    def _ask(self, connection: socket.socket, path: str) -> bytes:
        connection.sendall(f"GET {path}{self._rest}".encode())
        answer = b""
        while (end := answer.find(b"\r\n\r\n")) < 0 and (part := connection.recv(65_536)):
            answer += part
        length = _LENGTH.search(answer)
        missing = int(length[1]) - (len(answer) - end - 4) if length else 0
        while missing > 0 and (part := connection.recv(missing)):
            missing -= len(part)
        return answer


def main() -> None:
    """Run and print."""
    port, rate, seconds, file = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4])
    rng = random.Random(SEED)
    gaps = (rng.expovariate(rate) for _ in itertools.count())
    due = list(itertools.takewhile(lambda at: at < seconds, itertools.accumulate(gaps)))
    readers = Readers(port, due, [url.removeprefix(f"http://{HOST}") for url in file.read_text().split()])
    readers.come()
    print(json.dumps({"took_ms": readers.took_ms, "late_ms": readers.late_ms, "wrong": readers.wrong}))


if __name__ == "__main__":
    main()
