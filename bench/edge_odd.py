"""What each server makes of odd requests: the table of docs/adr/0003-edge-server.md."""

import socket
import urllib.parse
from contextlib import ExitStack
from pathlib import Path

from bench import edge_servers
from bench.edge_load import write_clicks
from bench.edge_machine import SERVER_CORE
from bench.edge_servers import Server

ODD = {
    "no Host": b"GET {path} HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET {path} HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n",
    "Content-Length and chunked": b"GET {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before the colon": b"GET {path} HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "150 headers": b"GET {path} HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: b\r\n" * 150 + b"\r\n",
    "64 KB of cookies": b"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"c" * 65_000 + b"\r\n\r\n",
    "CONNECT": b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


def ask(server: Server, data: bytes) -> str:
    """The status of the answer, or what came instead."""
    url = urllib.parse.urlsplit(server.url)
    with socket.create_connection((url.hostname, url.port), 2) as client:
        client.settimeout(2)
        client.sendall(data)
        try:
            answer = client.recv(64)
        except TimeoutError:
            return "silence"
        except ConnectionResetError:
            return "reset"
    return answer.split()[1].decode() if answer.startswith(b"HTTP/1") else "closed"


def report(folder: Path) -> None:
    """Print it."""
    clicks = write_clicks(folder, edge_servers.new_keyring(folder))
    with ExitStack() as running:
        servers = [
            running.enter_context(server)
            for server in (
                edge_servers.nginx(folder, SERVER_CORE),
                edge_servers.granian(folder, SERVER_CORE),
                edge_servers.worker(folder, SERVER_CORE),
            )
        ]
        print(f"{'':30}" + "".join(f"{server.name:>32}" for server in servers))
        for name, data in ODD.items():
            statuses = [ask(server, data.replace(b"{path}", clicks.path.encode())) for server in servers]
            print(f"{name:30}" + "".join(f"{status:>32}" for status in statuses))
