"""CPU of a redirect beside nginx's, on this machine, in one run (P1), and what picks the server in ADR 0003.

    .venv/bin/python -m bench.edge [--seconds 3] [--rounds 3] [--connections 64]
    .venv/bin/python -m bench.edge --odd        # what each server makes of odd requests instead

CPU time is user and system time of the whole process from /proc, divided by the requests wrk counted; the median round
counts, and the servers take turns so that a noisy neighbour hits all. Needs nginx and wrk (Debian packages).
"""

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from tests.debian import require

from waypost.keyfile import create_keyring, keyring_path
from waypost.links.token import Sealer

DESTINATION = "https://www.example.com/shop/products/12345?utm_source=newsletter&utm_campaign=spring"
HEADERS = {
    "Host": "localhost",
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "en-US,en;q=0.9",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "cross-site",
}
NGINX = """
daemon off; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log {directory}/access.log combined; keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port}; location / {{ return 302 {destination}; }} }}
}}
"""
GRANIAN = """
import asyncio, sys
from granian.server.embed import Server
HEADERS = [("location", sys.argv[2]), ("cache-control", "no-store"), ("x-robots-tag", "noindex")]
async def app(scope, protocol):
    for name in ("host", "user-agent", "accept", "accept-language", "sec-fetch-mode"):
        scope.headers.get(name)
    protocol.response_empty(302, HEADERS)
asyncio.run(Server(app, port=int(sys.argv[1]), interface="rsgi", http="1", websockets=False, log_enabled=False).serve())
"""
BARE = """
import asyncio, sys, time
from waypost.config import HostPort
from waypost.edge.answer import redirect
from waypost.edge.app import listening_socket, serve
from waypost.telemetry.garbage import spare_the_collector
class Bare:
    def handle(self, request, answer):
        answer(redirect(sys.argv[2]))
spare_the_collector()
listener = listening_socket(HostPort("127.0.0.1", int(sys.argv[1])), shared=False)
asyncio.run(serve(Bare().handle, listener, asyncio.Event(), time.time))
"""

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


@dataclass
class Server:
    """A running server and what was measured of it."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    microseconds: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)
    p99: list[str] = field(default_factory=list)

    def cpu_seconds(self) -> float:
        """Of the process and its children so far."""
        total = 0
        for pid in (str(self.process.pid), *_children(self.process.pid)):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def resident_megabytes(self) -> float:
        """Of the process."""
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text())[1]) / 1024


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def start(name: str, command: Callable[[int], list[str]], environment: Callable[[int], dict[str, str]]) -> Server:
    """Start a server on a free port and wait until it listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(command(port), env=os.environ | environment(port), stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return Server(name, port, process)
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{name} did not start")


def measure(server: Server, path: str, wrk: Path, seconds: int, connections: int) -> None:
    """One round."""
    headers = [part for name, value in HEADERS.items() for part in ("-H", f"{name}: {value}")]
    command = [str(wrk), "-t1", f"-c{connections}", f"-d{seconds}", "--latency", *headers]
    before = server.cpu_seconds()
    report = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    spent = server.cpu_seconds() - before
    if "Non-2xx or 3xx" in report:
        raise SystemExit(f"{server.name} did not redirect:\n{report}")
    requests = int(re.search(r"(\d+) requests in", report)[1])
    server.microseconds.append(spent / requests * 1e6)
    server.per_second.append(float(re.search(r"Requests/sec:\s+([\d.]+)", report)[1]))
    server.p99.append(re.search(r"99%\s+(\S+)", report)[1])


def ask(server: Server, data: bytes) -> str:
    """The status of the answer, or what came instead."""
    with socket.create_connection(("127.0.0.1", server.port), 2) as client:
        client.settimeout(2)
        client.sendall(data)
        try:
            answer = client.recv(64)
        except TimeoutError:
            return "silence"
        except ConnectionResetError:
            return "reset"
    return answer.split()[1].decode() if answer.startswith(b"HTTP/1") else "closed"


def report_odd(servers: list[Server], path: str) -> None:
    """Print what each makes of odd requests."""
    print(f"{'':30}" + "".join(f"{server.name:>30}" for server in servers))
    for name, data in ODD.items():
        statuses = [ask(server, data.replace(b"{path}", path.encode())) for server in servers]
        print(f"{name:30}" + "".join(f"{status:>30}" for status in statuses))


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--odd", action="store_true")
    options = parser.parse_args()
    nginx, wrk = require("nginx-light", binary="nginx"), require("wrk", binary="wrk")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        data = directory / "data"
        token = Sealer(create_keyring(keyring_path(data)), "localhost", account=1, profile=1).click(
            UUID("019cb7d4-0d59-7000-8000-000000000001"), 3, DESTINATION
        )
        configuration = directory / "nginx.conf"

        def run_nginx(port: int) -> list[str]:
            configuration.write_text(NGINX.format(directory=directory, port=port, destination=DESTINATION))
            return [str(nginx), "-c", str(configuration)]

        def edge(worker: int) -> Callable[[int], list[str]]:
            waypost = str(Path(sys.executable).with_name("waypost"))
            return lambda _: [waypost, "edge-worker", "--data", str(data), "--worker", str(worker)]

        def listen(durability: str) -> Callable[[int], dict[str, str]]:
            return lambda port: {
                "WAYPOST_EDGE__LISTEN": f"127.0.0.1:{port}",
                "WAYPOST_SPOOL__DURABILITY": durability,
            }

        servers = [
            start("nginx, return 302, access log", run_nginx, lambda _: {}),
            start("Granian RSGI, bare", lambda p: [sys.executable, "-c", GRANIAN, str(p), DESTINATION], lambda _: {}),
            start("ours, bare", lambda p: [sys.executable, "-c", BARE, str(p), DESTINATION], lambda _: {}),
            start("waypost edge, process", edge(0), listen("process")),
            start("waypost edge, group", edge(1), listen("group")),
        ]
        try:
            if options.odd:
                report_odd(servers, f"/c/{token}")
                return
            for _ in range(options.rounds):
                for server in servers:
                    measure(server, f"/c/{token}", wrk, options.seconds, options.connections)
            report(servers)
        finally:
            for server in servers:
                server.process.terminate()
                server.process.wait()


def report(servers: list[Server]) -> None:
    """Print medians, as ratios to the first server too."""
    reference = statistics.median(servers[0].microseconds)
    full = statistics.median(servers[0].per_second)
    print(f"{'':32}{'CPU a request':>15}{'of nginx':>10}{'a second':>10}{'of nginx':>10}{'p99':>10}{'RSS':>8}")
    for server in servers:
        cpu, rate = statistics.median(server.microseconds), statistics.median(server.per_second)
        latency = sorted(server.p99)[len(server.p99) // 2]
        print(
            f"{server.name:32}{cpu:>12.1f} us{cpu / reference:>9.1f}x{rate:>10.0f}{rate / full:>9.2f}x"
            f"{latency:>10}{server.resident_megabytes():>5.0f} MB"
        )


if __name__ == "__main__":
    main()
