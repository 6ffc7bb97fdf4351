"""One connection, byte in, byte out: whatever arrives, the answer is well-formed and no request is smuggled."""

import asyncio
import gc
import weakref
from collections.abc import Callable

import pytest

from waypost.edge.answer import Answer
from waypost.edge.decide import Request
from waypost.edge.http1 import (
    HEAD_BYTES_MAX,
    HEAD_SECONDS,
    IDLE_SECONDS,
    LINGER_SECONDS,
    PIPELINE_MAX,
    Clock,
    Connection,
    OpenConnections,
)

GET = b"GET /c/x HTTP/1.1\r\nHost: links.example.com\r\n\r\n"


class Wire:
    """What the client sees."""

    peer = "192.0.2.33"

    def __init__(self) -> None:
        self.sent = b""
        self.eof = self.closed = self.paused = False

    def write(self, data: bytes) -> None:
        assert not self.eof
        self.sent += data

    def write_eof(self) -> None:
        self.eof = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Client:
    """A connection with a handler that answers each request with its target, at once or when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.requests: list[Request] = []
        self.waiting: list[Callable[[], None]] = []
        self.hold = False
        self.open = OpenConnections()
        self.wire = Wire()
        self.connection = Connection(self._handle, self.open, Clock(lambda: 784_111_777.0), lambda: self.seconds)
        self.connection.connection_made(self.wire)

    def _handle(self, request: Request, answer: Callable[[Answer], None]) -> None:
        self.requests.append(request)
        if request.target == b"/bug":
            raise ZeroDivisionError
        reply = Answer(200, (("X", "y"),), request.target)
        if self.hold:
            self.waiting.append(lambda: answer(reply))
        else:
            answer(reply)

    def send(self, data: bytes) -> bytes:
        before = len(self.wire.sent)
        self.connection.data_received(data)
        return self.wire.sent[before:]


@pytest.fixture
def client() -> Client:
    return Client()


def test_an_answer_has_what_rfc_9110_asks_for(client: Client) -> None:
    assert client.send(GET) == (
        b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 4\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n/c/x"
    )
    assert not client.wire.eof
    assert client.send(GET)


def test_the_handler_sees_the_request_and_the_first_header_of_a_name(client: Client) -> None:
    client.send(
        b"GET /c/x?y HTTP/1.1\r\nHost: A.example:1\r\nUser-Agent: one\r\nCookie: a=b\r\nuser-agent: two\r\n\r\n"
    )
    assert client.requests == [
        Request(
            b"GET",
            b"/c/x?y",
            b"A.example:1",
            "192.0.2.33",
            {b"host": b"A.example:1", b"user-agent": b"one", b"cookie": b"a=b"},
        )
    ]


def test_white_space_around_the_host_is_not_part_of_it(client: Client) -> None:
    client.send(b"GET /c/x HTTP/1.1\r\nHost: \t a.example:1 \t\r\n\r\n")
    assert client.requests[0].host == b"a.example:1"


def test_bytes_beyond_ascii_in_a_target_arrive_encoded_as_a_browser_would_and_in_a_header_as_they_are(
    client: Client,
) -> None:
    sent = b"GET /c/x\xc2\xa0?utm=gr\xc3\xb6\xdfe HTTP/1.1\r\nUser-Agent: Gr\xc3\xb6\xc3\x9fe\r\nHost: a\r\n\r\n"
    for data in (sent[:11], sent[11:60], sent[60:], sent):
        client.send(data)
    assert {request.target for request in client.requests} == {b"/c/x%C2%A0?utm=gr%C3%B6%DFe"}
    assert [request.headers[b"user-agent"] for request in client.requests] == [b"Gr\xc3\xb6\xc3\x9fe"] * 2


def test_head_gets_the_length_and_no_body(client: Client) -> None:
    answer = client.send(GET.replace(b"GET", b"HEAD"))
    assert b"\r\nContent-Length: 4\r\n" in answer
    assert answer.endswith(b" GMT\r\n\r\n")


def test_a_request_that_arrives_byte_by_byte_is_one_request(client: Client) -> None:
    for position in range(len(GET)):
        client.send(GET[position : position + 1])
    assert [request.target for request in client.requests] == [b"/c/x"]
    assert client.wire.sent.count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize(
    ("head", "closes"),
    [
        (b"GET /c/x HTTP/1.1\r\nHost: a\r\n", False),
        (b"GET /c/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", True),
        (b"GET /c/x HTTP/1.0\r\n", True),
        (b"GET /c/x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n", True),
        (b"GET /c/x HTTP/2.0\r\nHost: a\r\nConnection: keep-alive\r\n", True),
        (b"GET /c/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n", False),
        (b"GET /c/x HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\nExpect: 100-continue\r\n", True),
        (b"GET /c/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n", True),
        (b"GET /c/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n", True),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n", True),
        (b"POST /c/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n", True),
    ],
)
def test_every_request_is_answered_and_one_with_a_body_ends_the_connection(
    client: Client, head: bytes, *, closes: bool
) -> None:
    answer = client.send(head + b"\r\n" + GET)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (b"Connection: close" in answer) is closes is client.wire.eof
    assert len(client.requests) == (1 if closes else 2)
    assert client.send(GET) == b"" or not closes


MALFORMED = [
    b"\r\n\r\n\0",
    b"GET\r\n\r\n",
    b"GET /c/x\r\n\r\n",
    b"GET /c/x HTTP/1.1\r\n\r\n",
    b"GET /c/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /c/x HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET /c/x HTTP/1.1\r\nHost: a\r\nA\0: b\r\n\r\n",
    b"GET /c/x HTTP/1.1\r\nHost: a\r\nA: b\0\r\n\r\n",
    b"GET /c/x HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
    b"GET /c/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"GET /c/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
    b"GET /c/x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"GET /c/x HTTP/9.9\r\nHost: a\r\n\r\n",
    b"GET /c/ x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"FROB /c/x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /c/x HTTP/1.1\nHost: a\n\0",
]


@pytest.mark.parametrize("data", MALFORMED)
def test_what_is_no_request_gets_400_and_nothing_behind_it_is_read(client: Client, data: bytes) -> None:
    answer = client.send(data + GET)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Connection: close\r\n" in answer
    assert client.wire.eof
    assert client.requests == []
    assert client.send(GET) == b""


def test_64_kilobytes_of_headers_and_150_of_them_are_tolerated(client: Client) -> None:
    filler = b"".join(b"X-%d: %s\r\n" % (number, b"c" * 430) for number in range(150))
    assert len(filler) > 64_000
    assert client.send(GET[:-2] + filler + b"\r\n").startswith(b"HTTP/1.1 200")


def test_an_endless_head_is_refused(client: Client) -> None:
    client.send(GET[:-2])
    for _ in range(HEAD_BYTES_MAX // 1000 + 1):
        client.send(b"X: " + b"c" * 995 + b"\r\n")
    assert client.wire.sent.startswith(b"HTTP/1.1 431 ")
    assert client.wire.eof


def test_pipelined_requests_are_answered_in_their_order(client: Client) -> None:
    client.hold = True
    client.send(GET.replace(b"/c/x", b"/1") + GET.replace(b"/c/x", b"/2") + b"rubbish\r\n\r\n")
    for answer in reversed(client.waiting):
        assert client.wire.sent == b""
        answer()
    bodies = [part.partition(b"\r\n\r\n")[2][:2] for part in client.wire.sent.split(b"HTTP/1.1 ")[1:]]
    assert bodies[:2] == [b"/1", b"/2"]
    assert b"400 Bad Request" in client.wire.sent
    assert client.wire.eof


def test_a_client_that_pipelines_without_end_is_not_read_until_its_answers_are_out(client: Client) -> None:
    client.hold = True
    client.send(GET * (PIPELINE_MAX + 1))
    assert client.wire.paused
    for answer in client.waiting:
        answer()
    assert not client.wire.paused


def test_a_client_that_does_not_read_its_answers_is_not_read_either(client: Client) -> None:
    client.connection.pause_writing()
    assert client.wire.paused
    client.connection.resume_writing()
    assert not client.wire.paused


def test_a_client_that_ends_its_side_still_gets_its_answer_and_then_the_end(client: Client) -> None:
    client.hold = True
    client.send(GET)
    assert client.connection.eof_received()
    client.waiting[0]()
    assert client.wire.sent.startswith(b"HTTP/1.1 200")
    assert client.wire.eof


def test_a_client_that_is_gone_is_not_written_to(client: Client) -> None:
    client.hold = True
    client.send(GET)
    client.connection.connection_lost(None)
    client.waiting[0]()
    assert client.wire.sent == b""


def test_a_connection_that_is_gone_is_freed_without_the_garbage_collector(client: Client) -> None:
    client.send(GET)
    # Only the connection has it. One that is compiled cannot be referred to weakly itself.
    its_clock = weakref.ref(client.connection._monotonic)
    gc.disable()
    try:
        client.connection.connection_lost(None)
        del client.connection
        assert its_clock() is None
    finally:
        gc.enable()


def test_a_bug_is_a_500_for_its_own_request_and_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.send(GET.replace(b"/c/x", b"/bug"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("sends", "seconds"),
    [([], HEAD_SECONDS), ([GET[:10], GET[10:20]], HEAD_SECONDS), ([GET], IDLE_SECONDS)],
)
def test_a_silent_or_trickling_client_is_closed_in_time(client: Client, sends: list[bytes], seconds: float) -> None:
    for data in sends:
        client.send(data)
    client.open.expire(seconds)
    assert not client.wire.closed
    client.open.expire(seconds + 0.1)
    assert client.wire.closed


def test_trickled_bytes_do_not_extend_the_time_for_a_head(client: Client) -> None:
    for position in range(10):
        client.seconds = position
        client.send(GET[position : position + 1])
    client.open.expire(HEAD_SECONDS + 0.1)
    assert client.wire.closed


def test_a_reader_waiting_for_the_disk_is_not_closed(client: Client) -> None:
    client.hold = True
    client.send(GET)
    client.open.expire(1e9)
    assert not client.wire.closed


def test_a_client_that_does_not_close_after_the_last_answer_is_closed(client: Client) -> None:
    client.send(b"GET /c/x HTTP/1.0\r\n\r\n")
    client.open.expire(LINGER_SECONDS + 0.1)
    assert client.wire.closed


@pytest.mark.parametrize("split", [0, 1, 2, 3])
def test_the_beginning_of_the_next_head_in_the_same_bytes_counts(client: Client, split: int) -> None:
    """Wherever the end of the head before is cut in two, against the limit of bytes and of time, and for a stop."""
    at = len(GET) - split
    client.send(GET[:at])
    client.send(GET[at:] + b"GET /" + b"x" * (HEAD_BYTES_MAX - 5))
    assert client.wire.sent.count(b"HTTP/1.1 ") == 1
    assert client.connection.deadline == HEAD_SECONDS
    client.connection.drain()
    assert not client.wire.closed
    client.seconds = 1.0
    assert client.send(b"x").startswith(b"HTTP/1.1 431 ")


def test_blank_lines_behind_a_request_are_no_head(client: Client) -> None:
    client.send(GET + b"\r\n\r\n")
    client.send(GET + b"\r\n")
    client.connection.drain()
    assert client.wire.closed


def test_a_late_answer_gives_the_next_head_no_more_time(client: Client) -> None:
    client.hold = True
    client.send(GET + b"GET /c/y")
    client.seconds = 5.0
    client.waiting[0]()
    assert client.connection.deadline == 5.0 + HEAD_SECONDS


def test_draining_answers_what_was_asked_and_what_a_fresh_connection_is_about_to_ask() -> None:
    idle, busy, fresh = Client(), Client(), Client()
    idle.send(GET)
    busy.hold = True
    busy.send(GET)
    for client in (idle, busy, fresh):
        client.connection.drain()
    assert idle.wire.closed
    busy.waiting[0]()
    for client, answer in ((busy, busy.wire.sent), (fresh, fresh.send(GET))):
        assert b"Connection: close\r\n" in answer
        assert client.wire.eof


def test_draining_ends_when_the_last_connection_has_gone_or_the_time_is_up() -> None:
    async def scenario() -> None:
        client = Client()
        assert await client.open.drain(0.01) == 1
        client.connection.connection_lost(None)
        assert await client.open.drain(5) == 0

    asyncio.run(scenario())
