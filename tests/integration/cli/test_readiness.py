"""sd_notify(3) over a real datagram socket, as systemd has one."""

import socket

import pytest

from waypost.telemetry.readiness import announce_ready


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_whoever_listens_is_told(tmp_path, kind):
    name = str(tmp_path / "notify")
    bound, told = (name, name) if kind == "path" else (f"\0{name}", f"@{name}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(bound)
        listener.settimeout(1)
        announce_ready({"NOTIFY_SOCKET": told})
        assert listener.recv(64) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nonexistent/notify"}])
def test_nobody_listening_is_no_failure(environ):
    announce_ready(environ)
