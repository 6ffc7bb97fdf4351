"""P9: `POST /api/v1/email/send` and `/batch`, durable before the 202, on SQLite and on PostgreSQL.

    python -m bench.api [--seconds 10] [--connections 16] [--rate 300] [--links 30] [--kilobytes 50] [--recipients 1000]

The API runs as `waypost up` has it by default: with SQLite in one process, with PostgreSQL in two API workers before a
core, which answers what they forward. The core has no pipeline, mail and webhooks here: what is measured is the
request, until it is durable. A real one renders, signs and delivers the messages, and `bench/mail.py` has what that
takes: with SQLite it does so in the same interpreter, and takes fewer than here while it is at it. What it cannot
deliver as fast as it comes waits in the queue. The client is this process, and shares the machine with the server and
PostgreSQL.

First as many requests as `--connections` get through one after the other; then `--rate` requests a second, whether
answered or not, whose times count from when each was due, so that a stall shows in every request it held up. A server
that is slower than the rate has more and more connections then, until the system refuses some for seconds: such a p99
says that the rate is too high and no more. Then batches, one after the other.

"CPU each" is what a send takes of the API's processes, of PostgreSQL's and of this one, and "two cores" how many sends
a second they come to on two cores that do nothing else: the machine's other load changes it less than what was sent.
Below it stands how busy each process was while as many as possible were sent, and its memory at the end.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.postgresql import running

from waypost.cli.up import api_workers
from waypost.config import HostPort, Settings, load
from waypost.control.accounts.schema import NewAccount
from waypost.control.accounts.service import create_account, decide
from waypost.control.app import create_app
from waypost.control.forwarding import serve_forwarded
from waypost.control.install import Install, open_install
from waypost.control.keys.schema import NewApiKey
from waypost.control.keys.service import create_api_key
from waypost.control.process import serve
from waypost.control.profiles.schema import NewProfile
from waypost.control.profiles.service import create_profile
from waypost.control.sources import SYSTEM
from waypost.db.states import AccountState, Role
from waypost.db.tables import Account
from waypost.keyfile import create_keyring, keyring_path
from waypost.telemetry.garbage import spare_the_collector

DOMAIN = "shop.example"
CELL = '<td style="font-family:Arial,sans-serif;font-size:16px;line-height:24px;color:#202020;padding:0 24px 16px">'


@dataclass(frozen=True)
class Server:
    """The API under test."""

    host: str
    port: int
    token: str
    processes: dict[str, int]
    """Process ids."""


@dataclass(frozen=True)
class Usage:
    """Seconds of CPU."""

    api: dict[str, float]
    """By process."""
    database: float
    client: float

    @classmethod
    def now(cls, server: Server, postmaster: int | None) -> "Usage":
        """So far; `postmaster` is None where the database is in the API's process."""
        own = os.times()
        backends = _children(postmaster) if postmaster else []
        api = {name: _cpu_seconds(pid) for name, pid in server.processes.items()}
        return cls(api, sum(map(_cpu_seconds, backends)), own.user + own.system)

    def since(self, earlier: "Usage", share: float) -> "Usage":
        """`share` of what it was since then."""
        return Usage(
            {name: (seconds - earlier.api[name]) * share for name, seconds in self.api.items()},
            (self.database - earlier.database) * share,
            (self.client - earlier.client) * share,
        )

    @property
    def all(self) -> float:
        """Of all."""
        return sum(self.api.values()) + self.database + self.client


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in tasks.split()]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def message(links: int, kilobytes: int) -> dict[str, Any]:
    """A send whose HTML is about that long, and shrinks about seven times, as that of real mail does."""
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnoprstuvw", k=chance.randint(2, 9))) for _ in range(100)]
    paragraphs = kilobytes * 1024 // links // (len(CELL) + 85)

    def row(number: int) -> str:
        url = f"https://www.shop.example/p/{number}?utm_source=letter&amp;n={number}"
        cells = (f"{CELL}{' '.join(chance.choices(words, k=12))}</td>" for _ in range(paragraphs))
        return f'<tr>{CELL}<a href="{url}">Item {number}</a></td>{"".join(cells)}</tr>'

    rows = "\n".join(map(row, range(links)))
    return {
        "from_email_address": f"news@{DOMAIN}",
        "recipient_email_address": "ada@example.com",
        "subject": "News",
        "content_html": f"<!doctype html><html><body><table>{rows}</table></body></html>",
        "click_tracking": True,
        "open_tracking": True,
        "tags": ["news"],
    }


def batch(send: dict[str, Any], recipients: int) -> dict[str, Any]:
    """The same to many."""
    of_all = {name: value for name, value in send.items() if name not in {"recipient_email_address", "tags"}}
    return of_all | {
        "recipients": [
            {"recipient_email_address": f"reader{n}@example.com", "recipient_name": f"Reader {n}", "tags": ["news"]}
            for n in range(recipients)
        ]
    }


def sending_account(install: Install, settings: Settings) -> Account:
    """An account that may send."""
    database = install.database
    account = create_account(database, SYSTEM, NewAccount(name="Shop", email=f"owner@{DOMAIN}"))
    decide(database, SYSTEM, account.public_id, AccountState.APPROVED, decided_by="bench")
    profile = NewProfile(profile_name="shop", sending_domain=DOMAIN, link_domain="localhost")
    development = settings.links.development_domains
    create_profile(database, SYSTEM, account, profile, development, control_key=install.control_key)
    return account


async def serve_api(data: Path, api_socket: Path | None) -> None:
    """In the process under test: make an account that may send, print its key, serve as a core does."""
    settings = load(None, os.environ, data)
    install = open_install(settings)
    database = install.database
    account = sending_account(install, settings)
    key = create_api_key(database, SYSTEM, account.public_id, NewApiKey(name="bench", role=Role.STANDARD))
    keyring = create_keyring(keyring_path(data))
    print(f"{key.api_key.key}:{key.secret}", flush=True)
    app = create_app(settings, database=database, store=None, keyring=lambda: keyring, control_key=install.control_key)
    spare_the_collector()  # as the core does
    if api_socket is None:
        await serve(app, settings.control.listen, asyncio.Event())
    else:
        await serve_forwarded(app, api_socket, asyncio.Event())


@contextlib.contextmanager
def started(url: str) -> Iterator[Server]:
    """A server over the database at `url`, with a token for it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = HostPort("127.0.0.1", probe.getsockname()[1])
    environment = os.environ | {"WAYPOST_DB__URL": url, "WAYPOST_CONTROL__LISTEN": str(listen)}
    with tempfile.TemporaryDirectory() as data, contextlib.ExitStack() as children:
        socket_file = Path(data) / "core"
        workers = api_workers(load(None, environment, Path(data)))
        at_socket = ("--api-socket", str(socket_file)) if workers else ()
        core = children.enter_context(_child(environment, "bench.api", "--serve", data, *at_socket))
        key = core.stdout.readline().strip()
        behind = ("--data", data, "--core-socket", str(socket_file))
        processes = {"core": core.pid}
        for worker in range(workers):
            numbered = ("--worker", str(worker))
            child = children.enter_context(_child(environment, "waypost", "api-worker", *numbered, *behind))
            processes[f"api-{worker}"] = child.pid
        basic = {"Authorization": "Basic " + base64.b64encode(key.encode()).decode()}
        # Until all of them are there: who comes before connects to those that are.
        while listeners(listen) < max(workers, 1):
            time.sleep(0.05)
        with httpx.Client(base_url=f"http://{listen}") as client:
            answer = client.post("/oauth/token", params={"grant_type": "password"}, headers=basic).json()
        yield Server(listen.host, listen.port, answer["access_token"], processes)


@contextlib.contextmanager
def _child(environment: dict[str, str], module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", module, *arguments]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def listeners(listen: HostPort) -> int:
    """How many sockets listen at a port of 127.0.0.1 (proc_net(5))."""
    wanted = f" 0100007F:{listen.port:04X} 00000000:0000 0A "
    return Path("/proc/net/tcp").read_text().count(wanted)


class Connection:
    """One kept connection: as little work per request as can be, for the client is on the server's machine."""

    def __init__(self, server: Server, message: dict[str, Any], path: str = "") -> None:
        self._server = server
        body = json.dumps(message).encode()
        self._request = (
            f"POST /api/v1/email/send{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self) -> None:
        """One message, taken."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._server.host, self._server.port)
        reader, writer = self._streams
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        assert head.startswith(b"http/1.1 202"), body

    def close(self) -> None:
        """Give it up."""
        if self._streams is not None:
            self._streams[1].close()


async def one_after_the_other(
    server: Server, body: dict[str, Any], connections: int, seconds: float, path: str = ""
) -> int:
    """Each connection sends as soon as it is answered; how many were."""
    until = time.monotonic() + seconds

    async def work() -> int:
        connection, sent = Connection(server, body, path), 0
        while time.monotonic() < until:
            await connection.send()
            sent += 1
        connection.close()
        return sent

    return sum(await asyncio.gather(*(work() for _ in range(connections))))


async def at_a_rate(server: Server, body: dict[str, Any], rate: int, seconds: float) -> list[float]:
    """Seconds from when each of `rate` requests a second was due until its answer, sorted."""
    idle: list[Connection] = []
    taken: list[float] = []
    start = time.monotonic()

    async def one(due: float) -> None:
        connection = idle.pop() if idle else Connection(server, body)
        await connection.send()
        taken.append(time.monotonic() - due)
        idle.append(connection)

    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.create_task(one(due))
    for connection in idle:
        connection.close()
    return sorted(taken)


def measure(name: str, url: str, options: argparse.Namespace, postmaster: int | None = None) -> None:
    """Print a line for one database."""
    body = message(options.links, options.kilobytes)
    with started(url) as server:
        asyncio.run(one_after_the_other(server, body, options.connections, 1))  # warm
        earlier = Usage.now(server, postmaster)
        sent = asyncio.run(one_after_the_other(server, body, options.connections, options.seconds))
        usage = Usage.now(server, postmaster)
        each, busy = usage.since(earlier, 1 / sent), usage.since(earlier, 1 / options.seconds)
        times = asyncio.run(at_a_rate(server, body, options.rate, options.seconds))
        start = time.monotonic()
        many = batch(body, options.recipients)
        batches = asyncio.run(one_after_the_other(server, many, 1, options.seconds, "/batch"))
        recipients = batches * options.recipients / (time.monotonic() - start)
        memory = {name: _resident_bytes(pid) for name, pid in server.processes.items()}
    p99 = times[int(len(times) * 0.99)]
    api = sum(each.api.values())
    print(
        f"{name:<12}{sent / options.seconds:>8.0f}/s{api * 1e3:>7.2f} ms{each.database * 1e3:>9.2f} ms"
        f"{each.client * 1e3:>8.2f} ms{2 / each.all:>9.0f}/s"
        f"{statistics.median(times) * 1e3:>12.1f} ms{p99 * 1e3:>10.1f} ms{recipients:>11.0f}/s"
    )
    processes = [f"{name} {share:.0%} {memory[name] >> 20} MB" for name, share in busy.api.items()]
    if postmaster:
        processes.append(f"PostgreSQL {busy.database:.0%}")
    print(f"{'':<12}{', '.join(processes)}, client {busy.client:.0%}")


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rate", type=int, default=300)
    parser.add_argument("--links", type=int, default=30)
    parser.add_argument("--kilobytes", type=int, default=50)
    parser.add_argument("--recipients", type=int, default=1000)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--api-socket", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve_api(options.serve, options.api_socket))
        return
    print(f"{options.kilobytes} KB of HTML, {options.links} links; {os.cpu_count()} cores for client, API and database")
    at_rate = f"p50 at {options.rate}/s"
    print(
        f"{'':<12}{'sends':>10}{'CPU each':>10}{'database':>12}{'client':>11}{'two cores':>11}"
        f"{at_rate:>15}{'p99':>13}{'recipients':>13}"
    )
    measure("SQLite", "", options)
    with running(durable=True) as postgresql:
        postmaster = int((postgresql.directory / "data" / "postmaster.pid").read_text().split()[0])
        measure("PostgreSQL", postgresql.new_database(), options, postmaster)


if __name__ == "__main__":
    main()
