"""An edge worker, alone and as a child of `waypost up`."""

import os
import socket
import subprocess
import sys

import pytest
from tests.ports import free_ports

from waypost.keyfile import create_keyring, keyring_path
from waypost.telemetry import readiness


@pytest.mark.parametrize(("parent", "lines"), [([], 1), (["--parent", str(os.getpid())], 0)])
def test_an_edge_alone_says_where_it_serves_and_a_child_leaves_that_to_waypost_up(tmp_path, parent, lines):
    create_keyring(keyring_path(tmp_path))
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with socket_of(tmp_path) as ready:
        edge = subprocess.Popen(
            [sys.executable, "-m", "waypost", "edge-worker", "--data", str(tmp_path), *parent],
            env=os.environ | {"WAYPOST_EDGE__LISTEN": address, readiness.VARIABLE: ready.getsockname()},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert ready.recv(64) == readiness.READY
        finally:
            edge.terminate()
            _, said = edge.communicate(timeout=60)
    assert len([line for line in said.splitlines() if line.endswith(f"redirects are served on {address}")]) == lines


def socket_of(directory):
    """Where the edge says that it serves."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.settimeout(60)
    listening.bind(str(directory / "ready"))
    return listening


AS_SYSTEMD = (
    "import os, sys\n"
    "os.dup2(int(sys.argv[1]), 3)\n"
    "os.execve(sys.argv[2], sys.argv[2:], os.environ | {'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '1'})"
)


def test_a_socket_that_systemd_passes_outlives_the_whole_service_and_nobody_is_refused_meanwhile(tmp_path):
    create_keyring(keyring_path(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as passed:
        environment = {
            "WAYPOST_EDGE__LISTEN": f"127.0.0.1:{passed.getsockname()[1]}",
            "WAYPOST_EDGE__INTERNAL_LISTEN": f"127.0.0.1:{free_ports(1)[0]}",
        }
        waypost = (sys.executable, "-m", "waypost", "edge", "--workers", "2", "--data", str(tmp_path))
        for _ in range(2):
            # It comes while nothing runs, and is answered by what starts then.
            with socket.create_connection(passed.getsockname(), 60) as client:
                client.sendall(b"GET /robots.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                service = subprocess.Popen(
                    [sys.executable, "-c", AS_SYSTEMD, str(passed.fileno()), *waypost],
                    env=os.environ | environment,
                    pass_fds=[passed.fileno()],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                try:
                    assert client.recv(100).startswith(b"HTTP/1.1 200")
                finally:
                    service.terminate()
                    service.wait(60)
