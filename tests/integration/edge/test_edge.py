"""A real edge worker on loopback: what comes over the wire, and what is in the spool afterwards."""

import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from tests.debian import require

from waypost.config import HostPort
from waypost.edge.app import listening_socket
from waypost.events.hit import Hit, HitKind, Outcome
from waypost.keyfile import add_key, keyring_path, promote_key
from waypost.spool import read_segment, sealed_segments
from waypost.spool.counters import LOST, Count, Counters, read_counters
from waypost.spool.files import Files
from waypost.spool.reader import count_records

from .conftest import SEND, Edges


def eventually(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60  # for a second or so, while other tests have the processors
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def hits(directory: Path) -> list[Hit]:
    """All readable hits; every sealed segment must be whole."""
    segments = [read_segment(path) for path in sealed_segments(directory)]
    assert [(segment.damaged, segment.missing) for segment in segments] == [([], 0)] * len(segments)
    return [hit for segment in segments for _, hit in segment.records]


class Reader(threading.Thread):
    """Clicks link after link on one connection, and remembers which clicks were redirected."""

    def __init__(self, edges: Edges, numbers: range) -> None:
        super().__init__()
        self._port = edges.port
        sealer = edges.sealer()
        self._tokens = {number: sealer.click(SEND, number, f"https://shop.example/{number}") for number in numbers}
        self.answered: set[int] = set()

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            for number, token in self._tokens.items():
                connection.request("GET", f"/c/{token}", headers={"Host": "localhost", "User-Agent": "Mozilla/5.0"})
                answer = connection.getresponse()
                answer.read()
                if answer.status == 302:
                    self.answered.add(number)
        except (OSError, HTTPException):
            return  # the edge is gone: what was answered counts
        finally:
            connection.close()


def wait_until_answered(readers: list[Reader]) -> None:
    eventually(lambda: all(reader.answered for reader in readers))


def test_a_click_is_answered_in_exactly_these_bytes(edges: Edges) -> None:
    edges.start()
    answer = edges.get(f"/c/{edges.click_token(1)}?fbclid=x")
    assert re.sub(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", b"Date: D", answer) == (
        b"HTTP/1.1 302 Found\r\n"
        b"Location: https://shop.example/1\r\n"
        b"Cache-Control: no-store\r\n"
        b"X-Robots-Tag: noindex\r\n"
        b"Referrer-Policy: no-referrer\r\n"
        b"Content-Length: 0\r\n"
        b"Date: D\r\n"
        b"Connection: close\r\n"
        b"\r\n"
    )


def test_clicks_heads_prefetches_and_opens_are_in_the_spool_within_a_second_or_so(edges: Edges) -> None:
    edges.start()
    click, pixel = edges.click_token(1), edges.sealer().open(SEND)
    edges.get(f"/c/{click}", headers="User-Agent: Mozilla/5.0 (X11)\r\nCookie: secret=1\r\n")
    assert edges.get(f"/c/{click}", "HEAD").startswith(b"HTTP/1.1 302")
    edges.get(f"/c/{click}", headers="Sec-Purpose: prefetch;anonymous-client-ip\r\n")
    head, _, body = edges.get(f"/o/{pixel}.gif").partition(b"\r\n\r\n")
    assert (head[:15], body[:6], len(body)) == (b"HTTP/1.1 200 OK", b"GIF89a", 43)
    assert b"Cache-Control: no-store" in head
    eventually(lambda: len(hits(edges.spool())) == 4)
    found = hits(edges.spool())
    assert [(hit.kind, hit.outcome) for hit in found] == [
        (HitKind.CLICK, Outcome.ANSWERED),
        (HitKind.CLICK, Outcome.HEAD),
        (HitKind.CLICK, Outcome.PREFETCH),
        (HitKind.OPEN, Outcome.ANSWERED),
    ]
    assert (found[0].client_address, found[0].headers) == ("127.0.0.1", {"user-agent": "Mozilla/5.0 (X11)"})
    assert len({hit.event_id for hit in found}) == 4


def test_all_failures_look_alike(edges: Edges) -> None:
    edges.start()
    token = edges.click_token(1)
    other_key = token[:1] + "Q" + "I" + token[3:]
    paths = ["/", "/nothing", "/c/", "/c/x", f"/c/{other_key}", f"/c/{token[:-1]}", f"/o/{token}.gif"]
    answers = {re.sub(rb"Date: .*\r\n", b"", edges.get(path)) for path in paths}
    assert len(answers) == 1
    assert answers.pop().startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert edges.get("/robots.txt").endswith(b"User-agent: *\nDisallow: /\n")
    assert edges.get(f"/c/{token}", "POST").startswith(b"HTTP/1.1 405 ")


def test_malformed_requests_never_crash_it_and_never_get_a_5xx_or_a_redirect_without_location(edges: Edges) -> None:
    edges.start()
    chance = random.Random(20260304)
    good = f"GET /c/{edges.click_token(1)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nA: b\r\n\r\n".encode()
    for _ in range(500):
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            position = chance.randrange(len(data))
            data[position : position + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 3))
        try:
            answer = edges.ask(bytes(data) + b"\r\n\r\n\0\r\n\r\n")
        except ConnectionResetError:
            continue  # closed over input that was still coming
        assert re.match(rb"HTTP/1\.1 (302|400|404|405) ", answer)
        assert (b"\r\nLocation: https://shop.example/1\r\n" in answer) is answer.startswith(b"HTTP/1.1 302")
    assert edges.get(f"/c/{edges.click_token(1)}").startswith(b"HTTP/1.1 302")


@pytest.mark.parametrize("durability", ["group", "process"])
def test_killed_under_load_again_and_again_every_answered_click_is_stored_once(edges: Edges, durability: str) -> None:
    edges.environment["WAYPOST_SPOOL__DURABILITY"] = durability
    chance = random.Random(durability)
    answered: set[int] = set()
    for life in range(4):
        process = edges.start()
        readers = [
            Reader(edges, range(start, start + 3000)) for start in range(life * 30_000, life * 30_000 + 12_000, 3000)
        ]
        for reader in readers:
            reader.start()
        wait_until_answered(readers)
        time.sleep(chance.uniform(0.1, 0.5))
        process.kill()
        for reader in readers:
            reader.join()
            answered |= reader.answered
    process = edges.start()
    process.terminate()
    assert process.wait(60) == 0
    stored = [hit.link_index for hit in hits(edges.spool())]
    assert len(stored) == len(set(stored))
    assert len(answered) > 100
    assert len(answered - set(stored)) <= read_counters(edges.spool())[Count.LOST_KILLED]
    assert list(edges.spool().glob("*.open")) == []


def test_at_sigterm_it_answers_what_was_asked_seals_and_ends_well(edges: Edges) -> None:
    process = edges.start()
    readers = [Reader(edges, range(start, start + 20_000)) for start in (0, 20_000, 40_000)]
    for reader in readers:
        reader.start()
    wait_until_answered(readers)
    time.sleep(0.3)
    process.terminate()
    assert process.wait(60) == 0
    for reader in readers:
        reader.join()
    answered = set().union(*(reader.answered for reader in readers))
    assert answered
    assert answered == {hit.link_index for hit in hits(edges.spool())}
    counts = read_counters(edges.spool())
    assert counts[Count.ANSWERED] == counts[Count.KEPT] == len(answered)
    assert list(edges.spool().glob("*.open")) == []


def test_a_worker_waits_for_others_on_a_busy_core_with_all_its_threads(edges: Edges) -> None:
    process = edges.start()
    core = {min(os.sched_getaffinity(0))}
    os.sched_setaffinity(process.pid, core)
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as front:
        os.sched_setaffinity(front.pid, core)
        try:
            eventually(lambda: policies(process.pid) == [os.SCHED_BATCH] * 3)
        finally:
            front.kill()


def policies(pid: int) -> list[int]:
    """Of each thread: the event loop, the spool's writer, and who looks at the keyring."""
    return [os.sched_getscheduler(int(path.name)) for path in Path(f"/proc/{pid}/task").iterdir()]


def test_several_workers_share_a_port_and_one_that_dies_takes_no_other_with_it(edges: Edges) -> None:
    first, _ = edges.start(0), edges.start(1)
    token = edges.click_token(1)
    for _ in range(60):
        assert edges.get(f"/c/{token}").startswith(b"HTTP/1.1 302")
    eventually(lambda: len(hits(edges.data / "spool")) == 60)
    assert hits(edges.spool(0))
    assert hits(edges.spool(1))
    first.kill()
    first.wait()
    for _ in range(20):
        assert edges.get(f"/c/{token}").startswith(b"HTTP/1.1 302")
    eventually(lambda: len(hits(edges.data / "spool")) == 80)


def test_who_connects_while_a_worker_is_started_again_waits_for_it(edges: Edges) -> None:
    with listening_socket(HostPort("127.0.0.1", edges.port), shared=False) as edges.listener:
        edges.start().kill()
        token = edges.click_token(1)
        with ThreadPoolExecutor(1) as reader:
            answer = reader.submit(edges.get, f"/c/{token}")
            edges.start()
            assert answer.result().startswith(b"HTTP/1.1 302")


def test_clicks_of_a_killed_worker_that_no_setting_starts_again_are_sealed_by_the_first(edges: Edges) -> None:
    gone, other = edges.start(3), edges.start(2)
    other.terminate()
    assert other.wait(60) == 0
    token = edges.click_token(1)
    for _ in range(20):
        assert edges.get(f"/c/{token}").startswith(b"HTTP/1.1 302")
    # A reader is answered, and a kill may cost her click, where the writer is not given a processor in time.
    eventually(lambda: read_counters(edges.spool(3))[Count.KEPT] == 20)
    gone.kill()
    gone.wait()
    edges.start(2)
    edges.start(0)
    eventually(lambda: len(hits(edges.spool(3))) == 20)
    assert list(edges.spool(3).glob("*.open")) == []
    assert edges.get(f"/c/{token}").startswith(b"HTTP/1.1 302")


def test_a_drop_that_a_killed_worker_left_halfway_is_finished_by_the_first_when_no_setting_starts_it_again(
    edges: Edges,
) -> None:
    gone = edges.start(3)
    token = edges.click_token(1)
    for _ in range(20):
        assert edges.get(f"/c/{token}").startswith(b"HTTP/1.1 302")
    gone.terminate()
    assert gone.wait(60) == 0
    segment = sealed_segments(edges.spool(3))[0]
    clicks = count_records(segment)
    Counters.open(edges.spool(3), Files()).dropping(clicks)
    segment.rename(segment.with_suffix(".drop"))
    edges.environment["WAYPOST_EDGE__NAME"] = "renamed"
    edges.start(0)
    eventually(lambda: read_counters(edges.spool(3))[Count.DROPPED] == clicks)
    eventually(lambda: list(edges.spool(3).glob("*.drop")) == [])


def test_a_disk_that_takes_nothing_costs_clicks_and_no_redirect_until_it_takes_them_again(edges: Edges) -> None:
    process = edges.start()
    token = edges.click_token(1)
    _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (10, hard))
    for _ in range(20):
        assert edges.get(f"/c/{token}").startswith(b"HTTP/1.1 302")
    eventually(lambda: sum(read_counters(edges.spool())[count] for count in LOST) == 20)
    assert read_counters(edges.spool())[Count.ANSWERED] == 20
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))

    def click_and_look() -> bool:
        edges.get(f"/c/{token}")
        return read_counters(edges.spool())[Count.KEPT] > 0

    eventually(click_and_look)
    process.terminate()
    assert process.wait(60) == 0
    counts = read_counters(edges.spool())
    assert counts[Count.KEPT] == len(hits(edges.spool()))
    assert counts[Count.ANSWERED] == counts[Count.KEPT] + sum(counts[count] for count in LOST)


def test_clients_that_only_connect_cost_no_click_of_others_and_who_comes_late_waits(edges: Edges) -> None:
    edges.descriptors_max = 100
    edges.start()
    path = f"/c/{edges.click_token(1)}"
    reader = HTTPConnection("127.0.0.1", edges.port, timeout=60)

    def click() -> int:
        reader.request("GET", path, headers={"Host": "localhost"})
        answer = reader.getresponse()
        answer.read()
        return answer.status

    with closing(reader), ExitStack() as idle, ThreadPoolExecutor(1) as late:
        assert click() == 302
        for _ in range(200):
            idle.enter_context(socket.create_connection(("127.0.0.1", edges.port), 60))
        waiting = late.submit(edges.get, path)
        for _ in range(5):
            time.sleep(0.1)  # a segment's life: the next one takes descriptors
            assert click() == 302
        assert not waiting.done()
        idle.close()
        assert waiting.result().startswith(b"HTTP/1.1 302")
    counts = read_counters(edges.spool())
    assert (counts[Count.ANSWERED], sum(counts[count] for count in LOST)) == (7, 0)


def test_a_key_added_while_it_runs_opens_at_once(edges: Edges) -> None:
    edges.start()
    assert edges.get(f"/c/{edges.click_token(1)}").startswith(b"HTTP/1.1 302")
    add_key(keyring_path(edges.data))
    promote_key(keyring_path(edges.data), 2)
    eventually(lambda: edges.get(f"/c/{edges.click_token(2)}").startswith(b"HTTP/1.1 302"))


def test_a_key_that_comes_while_a_worker_starts_opens_from_its_first_answer_on(edges: Edges) -> None:
    """L2b: nothing tells of a worker that does not serve yet, so no key waits for it."""
    strace = str(require("strace", binary="strace"))
    edges.under = (strace, "-D", "-f", "-qq", "-o", "/dev/null", "-e", "inject=listen:signal=SIGSTOP")
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(edges.start)
        eventually(edges.is_listened_to)
        add_key(keyring_path(edges.data))
        promote_key(keyring_path(edges.data), 2)
        assert not started.done()

        def goes_on() -> bool:
            edges.processes[0].send_signal(signal.SIGCONT)
            return started.done()

        eventually(goes_on)
        started.result()
    assert edges.get(f"/c/{edges.click_token(1)}").startswith(b"HTTP/1.1 302")


def test_a_spool_directory_belongs_to_one_process(edges: Edges) -> None:
    edges.start()
    second = edges.launch()
    _, message = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "in use by another process" in message


def test_without_a_keyring_it_does_not_start_and_says_why(edges: Edges) -> None:
    keyring_path(edges.data).unlink()
    process = edges.launch()
    _, message = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "keyring" in message
    assert not edges.spool().exists()


# Whatever could reach a database or another machine, and whatever is slow to import.
FOREIGN = {
    "aiosmtplib",
    "alembic",
    "chdb",
    "clickhouse_connect",
    "fastapi",
    "granian",
    "http.client",
    "httpx",
    "psycopg",
    "requests",
    "smtplib",
    "sqlalchemy",
    "sqlite3",
    "urllib.request",
    "urllib3",
    "waypost.db",
    "waypost.store",
}


def test_an_edge_worker_imports_no_database_driver_and_no_http_client() -> None:
    script = "import sys, waypost.cli.edge_worker; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "waypost.edge.process" in loaded
    assert FOREIGN & set(loaded) == set()


def test_stopping_by_keyboard_is_the_same_as_by_sigterm(edges: Edges) -> None:
    process = edges.start()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
