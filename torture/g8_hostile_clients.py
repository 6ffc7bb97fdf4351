"""10,000 idle and 1,000 trickling connections cost real clicks nothing; 10,000 malformed requests, no 5xx.

Real clicks are measured with and without the crowd in turns, each on a connection of its own. Malformed requests are
mutations of a good one and lines put together at random, one or more on a connection.
"""

import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random

from torture.gate import Progress, Result, Scale, failed
from torture.load import Readers, click_once, destination, request, sealer
from torture.processes import Install, Started
from waypost.keyfile import keyring_path, load_keyring

CROWD = {Scale.SHORT: (1_000, 100), Scale.FULL: (10_000, 1_000)}
ROUNDS = {Scale.SHORT: 2, Scale.FULL: 5}
ROUND_SECONDS = {Scale.SHORT: 1.5, Scale.FULL: 12.0}
PER_SECOND = 150.0
SLOWER_MAX = {Scale.SHORT: 5.0, Scale.FULL: 2.0}
"""A short run has too few clicks for a steady p99, beside other tests."""
MALFORMED = {Scale.SHORT: 600, Scale.FULL: 10_000}
ANSWER_SECONDS = 30.0
METHODS = (b"GET", b"HEAD", b"get", b"POST", b"OPTIONS", b"PRI", b"CONNECT", b"TRACE", b"G\0T", b"\xff", b"")
VERSIONS = (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.1 ", b"HTP/1.1", b"")
HEADERS = (
    b"Host: localhost",
    b"Host: a, b",
    b"Host:",
    b"Host : localhost",
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: xchunked",
    b"Connection: close",
    b"Connection: upgrade, keep-alive",
    b"Upgrade: h2c",
    b"Expect: 100-continue",
    b" folded: yes",
    b"X-Forwarded-For: 1.2.3.4, \xff\xfe",
    b"X-Forwarded-Host: \r evil.example",
    b"X: " + b"y" * 70_000,
    b": nothing",
    b"no colon",
    b"\0: \0",
)
LINE_ENDS = (b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\n\r")


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """The crowd, then the malformed requests, against one worker."""
    with Install(progress.directory / "install") as install:
        worker = install.edge()
        worker.wait_ready()
        alone, beside = _measure(scale, progress, install, rng)
        statuses, wrong = _malformed(MALFORMED[scale], progress, install, rng)
        alive = worker.process.poll() is None and click_once(install.edge_port, install.keyring, 1)
        resident = _resident_megabytes(worker)
        worker.stop()
    ratio = _p99(beside.seconds) / _p99(alone.seconds)
    idle, trickling = CROWD[scale]
    return Result(
        {
            "idle": idle,
            "trickling": trickling,
            "p99 ms alone": round(_p99(alone.seconds) * 1e3, 2),
            "p99 ms beside them": round(_p99(beside.seconds) * 1e3, 2),
            "ratio": round(ratio, 2),
            "malformed requests": MALFORMED[scale],
            "answers": ", ".join(f"{status}: {times:,}" for status, times in sorted(statuses.items())),
            "MB resident": resident,
        },
        failed(
            (ratio > SLOWER_MAX[scale], f"p99 is {ratio:.1f} times as long"),
            (alone.bad or beside.bad, f"{alone.bad + beside.bad} real clicks were not redirected"),
            (wrong, f"{len(wrong)} wrong answers, such as {wrong[:1]}"),
            (not alive, "the worker does not redirect any more"),
        ),
    )


class Latencies:
    """Of real clicks, over all rounds."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.bad = 0

    def measure(self, install: Install, first: int, seconds: float, rng: Random) -> None:
        """One round."""
        with Readers(
            install.edge_port,
            install.keyring,
            readers=2,
            first=first,
            pipelined=1,
            per_second=PER_SECOND,
            fresh=True,
            rng=rng,
        ) as readers:
            readers.pause(seconds)
        self.seconds += readers.seconds()
        self.bad += readers.cut_off + len(readers.wrong)


def _measure(scale: Scale, progress: Progress, install: Install, rng: Random) -> tuple[Latencies, Latencies]:
    alone, beside = Latencies(), Latencies()
    for number in range(ROUNDS[scale]):
        progress.say(f"round {number + 1} of {ROUNDS[scale]}: alone")
        alone.measure(install, number * 2_000_000, ROUND_SECONDS[scale], rng)
        with _crowd(install.edge_port, *CROWD[scale]):
            progress.say(f"round {number + 1} of {ROUNDS[scale]}: beside {sum(CROWD[scale]):,} others")
            beside.measure(install, number * 2_000_000 + 1_000_000, ROUND_SECONDS[scale], rng)
    return alone, beside


@contextmanager
def _crowd(port: int, idle: int, trickling: int) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-m", "torture.crowd", str(port), str(idle), str(trickling)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as crowd:
        try:
            if crowd.stdout.readline() != b"there\n":
                raise AssertionError("the crowd did not come")
            yield
        finally:
            crowd.stdin.close()
            crowd.wait()


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)]


def _resident_megabytes(worker: Started) -> int:
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024


def _malformed(count: int, progress: Progress, install: Install, rng: Random) -> tuple[Counter[str], list[str]]:
    """Statuses of the answers, and what must not be among them."""
    good = request(sealer(load_keyring(keyring_path(install.data))), 1)
    statuses: Counter[str] = Counter()
    wrong: list[str] = []
    with ThreadPoolExecutor(8) as clients:
        requests = (malformed(good, rng) for _ in range(count))
        for number, (sent, answer) in enumerate(clients.map(lambda data: _send(install.edge_port, data), requests)):
            found = re.findall(rb"(?:\A|[^a-z])HTTP/1\.[01] (\d{3}) ", answer) if answer else [b"closed"]
            statuses.update(status.decode() for status in found)
            locations = answer.count(f"\r\nLocation: {destination(1)}\r\n".encode())
            if locations != found.count(b"302") or any(status >= b"500" for status in found if status.isdigit()):
                wrong.append(f"{sent[:300]!r} got {answer[:300]!r}")
            if number % 500 == 0:
                progress.say(f"{number:,} of {count:,} malformed requests")
    return statuses, wrong


def _send(port: int, data: bytes) -> tuple[bytes, bytes]:
    """What was sent, and everything that came back until the end."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(65_536):
                answer += part
        except (ConnectionResetError, BrokenPipeError):
            return data, answer  # closed over input that was still coming
    return data, answer


def malformed(good: bytes, rng: Random) -> bytes:
    """One or more requests that are wrong somewhere, most likely."""
    made = [mutated(good, rng) if rng.random() < 0.5 else put_together(good, rng) for _ in range(rng.choice((1, 1, 3)))]
    return b"".join(made)


def mutated(good: bytes, rng: Random) -> bytes:
    """A good request with bytes replaced, removed, put in, doubled, or its end missing."""
    data = bytearray(good)
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(data) + 1)
        length = rng.choice((0, 1, 1, 2, 40))
        match rng.randrange(4):
            case 0:
                data[at : at + length] = rng.randbytes(length)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = rng.choice((b"\r\n", b"\0", b"\r", b"\n\n", b" ", b"%", b":", b"\xff", rng.randbytes(3)))
            case 3:
                data[at:at] = data[at : at + length]
    return bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.1 else data)


def put_together(good: bytes, rng: Random) -> bytes:
    """A request line and headers from the odd ones there are."""
    path = rng.choice((good.split()[1], b"/", b"*", b"/c/", b"//", b"http://localhost/c/x", rng.randbytes(20), b""))
    line = b" ".join((rng.choice(METHODS), path, rng.choice(VERSIONS)))
    end = rng.choice(LINE_ENDS)
    headers = rng.sample(HEADERS, rng.randint(0, 5))
    return end.join((line, *headers, b"", rng.choice((b"", b"body!", b"5\r\nhello\r\n0\r\n\r\n"))))
