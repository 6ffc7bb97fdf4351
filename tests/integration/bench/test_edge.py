"""What bench/edge.py starts, and whether its load is what it says: the real servers, for a second."""

import contextlib
import os
import socket
import ssl
from collections.abc import Iterator
from threading import Thread

import pytest
from bench import edge_front, edge_servers
from bench.edge_load import NotAnsweredError, as_fast_as_it_goes, at_a_rate, write_clicks
from bench.edge_machine import LOAD_CORE, SERVER_CORE
from bench.edge_rounds import Round, check_redirects, measure
from bench.edge_servers import GROUP, PROCESS, Server
from bench.edge_tls import at_a_rate as at_random
from bench.edge_tls import chained
from bench.edge_tls import measure as measure_tls

from waypost.links.keyring import Keyring

STARTS = {
    "nginx": lambda folder: edge_servers.nginx(folder, SERVER_CORE),
    "Granian": lambda folder: edge_servers.granian(folder, SERVER_CORE),
    "bare": lambda folder: edge_servers.bare(folder, SERVER_CORE),
    "process": lambda folder: edge_servers.worker(folder, SERVER_CORE, PROCESS),
    "group": lambda folder: edge_servers.worker(folder, SERVER_CORE, GROUP),
    "two workers": lambda folder: edge_servers.edge(folder, SERVER_CORE, 2),
}


@pytest.fixture
def clicks(tmp_path):
    return write_clicks(tmp_path, edge_servers.new_keyring(tmp_path))


@pytest.mark.parametrize("name", STARTS)
def test_every_server_that_is_measured_redirects(name, tmp_path, clicks):
    with STARTS[name](tmp_path) as server:
        check_redirects(server, clicks)


def test_what_does_not_redirect_is_not_measured(tmp_path):
    edge_servers.new_keyring(tmp_path)
    clicks_of_others = write_clicks(tmp_path, Keyring.new(bytes(64)))
    with STARTS["group"](tmp_path) as server:
        with pytest.raises(NotAnsweredError, match="404"):
            check_redirects(server, clicks_of_others)
        with pytest.raises(NotAnsweredError, match="Non-2xx"):
            measure(server, clicks_of_others, 1)


def test_a_turn_gives_figures_and_every_click_of_it_is_written(tmp_path, clicks):
    with STARTS["group"](tmp_path) as server:
        # One of three: on a busy machine any one may wait for a processor.
        turns = (measure(server, clicks, 1) for _ in range(3))
        turn = next(turn for turn in turns if turn.per_second > 100)
        assert isinstance(turn, Round)
        assert 0 < turn.cpu_us < 10_000
        assert server.kept() > 100


def test_at_a_fixed_rate_requests_are_no_more_and_no_fewer(tmp_path, clicks):
    with STARTS["nginx"](tmp_path) as server:
        times = at_a_rate(server.url, clicks, LOAD_CORE, 2_000, 1, tmp_path)
    assert 1_000 < len(times) < 2_500


def test_readers_behind_the_shipped_front_are_redirected_and_written(tmp_path, clicks):
    with STARTS["group"](tmp_path) as origin, chained(tmp_path, origin) as chain:
        check_redirects(chain.browsers, clicks)
        turn = measure_tls(chain, clicks, 1)
        assert turn.per_second > 10
        assert 0 < turn.cores < 1.5
        before = origin.kept()
        steady = at_random(chain.browsers, clicks, 50, 1)
        assert len(steady.took_ms) == len(steady.late_ms) > 20
        assert steady.asking_cores > 0
        assert origin.kept() - before >= len(steady.took_ms)


@contextlib.contextmanager
def https_server(folder) -> Iterator[tuple[str, list[bool]]]:
    """Redirects everything; which connections resumed an earlier one."""
    certificate, key = edge_front._certificate(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    resumed: list[bool] = []

    def serve(listener: socket.socket) -> None:
        while True:
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                with tls.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(65_536)
                    resumed.append(bool(connection.session_reused))
                    connection.sendall(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}", resumed
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_who_asks_makes_a_full_handshake_for_every_request(tmp_path, clicks):
    with https_server(tmp_path) as (url, resumed):
        server = Server("a TLS server", url, os.getpid())
        with edge_front.browsers(tmp_path, LOAD_CORE, server) as browsers:
            answered = as_fast_as_it_goes(browsers.url, clicks, LOAD_CORE, 1, 4)
    assert answered.requests > 10
    assert len(resumed) >= answered.requests
    assert not any(resumed)


def test_wrk_by_itself_would_resume_the_session_of_the_connection_before(tmp_path, clicks):
    with https_server(tmp_path) as (url, resumed):
        as_fast_as_it_goes(url, clicks, LOAD_CORE, 1, 4)
    assert sum(resumed) > len(resumed) / 2
