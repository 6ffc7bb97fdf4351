"""An edge worker, alone and as a child of `waypost up`."""

import os
import socket
import subprocess
import sys

import pytest
from demo.product import free_port

from waypost.keyfile import create_keyring, keyring_path
from waypost.telemetry import readiness


@pytest.mark.parametrize(("parent", "lines"), [([], 1), (["--parent", str(os.getpid())], 0)])
def test_an_edge_alone_says_where_it_serves_and_a_child_leaves_that_to_waypost_up(tmp_path, parent, lines):
    create_keyring(keyring_path(tmp_path))
    address = f"127.0.0.1:{free_port()}"
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
            _, said = edge.communicate(timeout=10)
    assert len([line for line in said.splitlines() if line.endswith(f"redirects are served on {address}")]) == lines


def socket_of(directory):
    """Where the edge says that it serves."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.settimeout(10)
    listening.bind(str(directory / "ready"))
    return listening
