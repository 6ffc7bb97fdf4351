"""Clicks, and who sends them: wrk as fast as it goes, h2load at a fixed rate. Both run on a core of their own.

Thousands of distinct tokens are sent in turn, so that nothing that remembers what it saw is faster than it would be in
earnest: no token is clicked often.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bench.edge_machine import pinned
from tests.debian import require

from waypost.links.keyring import Keyring
from waypost.links.token import Sealer

HOST = "localhost"
TOKENS = 10_000
"""More than twice what the largest cache of the edge holds (4,096 addresses, `edge/forwarded.py`)."""
DESTINATIONS = 40
MAIL_URLS = Path(__file__).parent / "data" / "mail-urls.txt"
CONNECTIONS = 64
STEADY_CONNECTIONS = 512
"""At 8,000 requests a second together, each asks every 64 ms: an answer that a stalled disk holds for 25 ms is never in
the way of the next request, whose time would then not be counted from when it was due."""
RAMP_SECONDS = STEADY_CONNECTIONS / 1000
"""A connection is opened each millisecond. Opened at once, all would ask at once, again and again."""

PATIENCE_SECONDS = 20
"""A machine may be busy; an answer that comes late is still an answer."""

HEADERS = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "en-US,en;q=0.9",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "cross-site",
}
_WRK_SCRIPT = """
local requests, at = {}, 0
function init(arguments)
  for url in io.lines(arguments[1]) do
    if arguments[2] then
      local number = #requests * 1597  -- addresses of 203.0.0.0/8, each in another network
      wrk.headers["X-Forwarded-For"] = string.format(
        "203.%d.%d.%d", number / 65536 % 256, number / 256 % 256, number % 256)
    end
    requests[#requests + 1] = wrk.format("GET", url:match("^http://[^/]+(/.*)$"))
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
"""
_SEND_ID = 0x019CB7D4_0D59_7000_8000_000000000000
FRONT_HEADERS = {"X-Forwarded-Host": HOST, "X-Forwarded-Proto": "https"}
"""What Caddy adds, besides X-Forwarded-For with an address of each reader's own."""
_UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class NotAnsweredError(Exception):
    """The load was not answered as it should be, so its figures mean nothing."""


@dataclass(frozen=True)
class Clicks:
    """Requests of distinct tokens, in a file each load generator reads.

    Attributes:
        file: a URL a line.
        path: of the first one.
        destination: where that one leads.
    """

    file: Path
    path: str
    destination: str


@dataclass(frozen=True)
class Answered:
    """What wrk counted."""

    requests: int
    seconds: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def write_clicks(folder: Path, keyring: Keyring) -> Clicks:
    """Seal tokens, each with a send id of its own."""
    urls = [line for line in MAIL_URLS.read_text().splitlines() if not line.startswith("#")]
    destinations = urls[:: len(urls) // DESTINATIONS][:DESTINATIONS]
    seal = Sealer(keyring, HOST, account=12_345, profile=67_890)
    paths = [
        f"/c/{seal.click(UUID(int=_SEND_ID + number), number % 30, destinations[number % DESTINATIONS])}"
        for number in range(TOKENS)
    ]
    file = folder / "clicks.txt"
    file.write_text("".join(f"http://{HOST}{path}\n" for path in paths))
    return Clicks(file, paths[0], destinations[0])


def as_fast_as_it_goes(
    url: str,
    clicks: Clicks,
    cores: frozenset[int],
    seconds: int,
    connections: int = CONNECTIONS,
    *,
    fronted: bool = False,
) -> Answered:
    """Every connection asks as soon as it is answered.

    Args:
        url: scheme, address and port of the server.
        clicks: sent in turn.
        cores: where wrk runs.
        seconds: how long.
        connections: at once.
        fronted: ask as the TLS front does, which says for whom.

    Raises:
        NotAnsweredError: not every answer was a redirect.
    """
    headers = {"Host": HOST, **HEADERS} | (FRONT_HEADERS if fronted else {})
    script = clicks.file.with_suffix(".lua")
    script.write_text(_WRK_SCRIPT)
    done = subprocess.run(
        [
            *pinned(cores),
            *(str(require("wrk", binary="wrk")), "-t1", f"-c{connections}", f"-d{seconds}", "--latency"),
            *("--timeout", f"{PATIENCE_SECONDS}s"),
            *(part for name, value in headers.items() for part in ("-H", f"{name}: {value}")),
            *("-s", str(script), url, "--", str(clicks.file), *(["fronted"] if fronted else [])),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotAnsweredError(f"{url}: {done.stdout}{done.stderr}")
    return read_wrk(done.stdout)


def read_wrk(report: str) -> Answered:
    """The figures in wrk's report.

    Raises:
        NotAnsweredError: not every answer was a redirect.
    """
    counted = re.search(r"(\d+) requests in ([\d.]+)(s|m)\b", report)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", report)
    if not counted or not p99 or "Non-2xx or 3xx" in report or "Socket errors" in report:
        raise NotAnsweredError(report)
    seconds = float(counted[2]) * (60 if counted[3] == "m" else 1)
    return Answered(int(counted[1]), seconds, float(p99[1]) * _UNITS_MS[p99[2]])


def at_a_rate(
    url: str, clicks: Clicks, cores: frozenset[int], per_second: float, seconds: float, folder: Path
) -> list[float]:
    """Milliseconds that each request took, at a fixed rate over kept connections.

    Args:
        url: as above, and so are `clicks`, `cores` and `seconds`.
        per_second: of all connections together.
        folder: for h2load's log.

    Raises:
        NotAnsweredError: not every answer was a redirect.
    """
    log = folder / "h2load.log"
    log.unlink(missing_ok=True)
    each = per_second / STEADY_CONNECTIONS
    requests = STEADY_CONNECTIONS * round(each * (seconds + RAMP_SECONDS))
    done = subprocess.run(
        [
            *pinned(cores),
            *(str(require("nghttp2-client", binary="h2load")), "--h1", "-t1", f"-c{STEADY_CONNECTIONS}"),
            *(f"-n{requests}", f"--rps={each:.3f}", "-r1", "--rate-period=1ms"),
            *("-H", f":authority: {HOST}"),
            *(part for name, value in HEADERS.items() for part in ("-H", f"{name}: {value}")),
            *("-B", url, "-i", str(clicks.file), f"--log-file={log}"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotAnsweredError(f"{url}: {done.stdout}{done.stderr}")
    return read_h2load(log.read_text(), requests, RAMP_SECONDS, seconds)


def read_h2load(log: str, requests: int, ramp_seconds: float, seconds: float) -> list[float]:
    """Milliseconds of each request that began while every connection was there, from h2load's log.

    Args:
        log: a line each: when it began in microseconds since 1970, its status, microseconds until its end.
        requests: how many there must be.
        ramp_seconds: left out at the beginning, while connections were opened.
        seconds: looked at after that.

    Raises:
        NotAnsweredError: not every answer was a redirect.
    """
    rows = [tuple(map(int, line.split("\t"))) for line in log.splitlines()]
    wrong = [status for _, status, _ in rows if status != 302]
    if wrong or len(rows) != requests:
        raise NotAnsweredError(f"h2load: {len(rows)} of {requests} were answered, {len(wrong)} with {set(wrong)}")
    first = min(began for began, _, _ in rows)
    begin, end = first + ramp_seconds * 1e6, first + (ramp_seconds + seconds) * 1e6
    return [took / 1000 for began, _, took in rows if begin <= began < end]
