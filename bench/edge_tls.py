"""P2: a new TLS connection for every click, through Caddy as we ship it, before an edge worker and before nginx.

Front and origin share one core. A full handshake costs who asks as much as the front, and wrk saves it: it resumes the
session of the connection before, which a new reader cannot. So wrk asks a second Caddy, on the load's core, which makes
a connection with a full handshake for each request. It may well be the one that is busy all the time: throughput is
therefore told by what a second of the front's and the origin's CPU does, too, and that is what the gate is about.

Latency is that of readers who come at random (bench/edge_readers.py), the same ones for all, at a quarter of the rate
that the front before nginx did. At half of it the core of front and nginx was not half busy and nginx's 99th percentile
was tens of milliseconds: it was those who ask, with their handshakes and threads, who had a queue. How busy their core
is stands beside the figures.
"""

import json
import resource
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import edge_front, edge_servers
from bench.edge_figures import QUANTILES, percentiles, quantile, ratios, spread
from bench.edge_load import Clicks, NotAnsweredError, as_fast_as_it_goes, write_clicks
from bench.edge_machine import LOAD_CORE, SERVER_CORE, pinned
from bench.edge_rounds import WARM_SECONDS, Say, between, check_redirects
from bench.edge_servers import COMPILED_GROUP, COMPILED_PROCESS, GROUP, NGINX, Server

ROOT = Path(__file__).parent.parent
CONNECTIONS = 32
NAMES = (NGINX, GROUP, COMPILED_PROCESS, COMPILED_GROUP)
RATE = 0.25
"""Of what the front before nginx can do."""


@dataclass(frozen=True)
class Chain:
    """Who asks, the front, and the server behind it."""

    browsers: Server
    front: Server
    origin: Server


@dataclass(frozen=True)
class Round:
    """A chain, once.

    Attributes:
        per_second: clicks answered.
        front_us: CPU of the front for each.
        origin_us: CPU of the origin for each.
    """

    per_second: float
    front_us: float
    origin_us: float

    @property
    def per_core_second(self) -> float:
        """Clicks that a second of CPU of front and origin together answers."""
        return 1e6 / (self.front_us + self.origin_us)

    @property
    def cores(self) -> float:
        """Used by both."""
        return self.per_second / self.per_core_second


@contextmanager
def chained(folder: Path, origin: Server) -> Iterator[Chain]:
    """The front before a server, and who asks it."""
    with (
        edge_front.front(folder, SERVER_CORE, origin) as front,
        edge_front.browsers(folder, LOAD_CORE, front) as browsers,
    ):
        yield Chain(browsers, front, origin)


def accepted() -> int:
    """TCP connections accepted on this machine so far (RFC 4022, tcpPassiveOpens)."""
    names, values = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line[:4] == "Tcp:"]
    return int(dict(zip(names, values, strict=True))["PassiveOpens"])


def measure(chain: Chain, clicks: Clicks, seconds: int) -> Round:
    """Ask as fast as it goes.

    Raises:
        NotAnsweredError: not every answer was a redirect, or they did not each have a connection of their own.
        NotMeasuredError: a click was not written.
    """
    front, origin = chain.front.cpu_seconds(), chain.origin.cpu_seconds()
    kept, connections = chain.origin.kept(), accepted()
    answered = as_fast_as_it_goes(chain.browsers.url, clicks, LOAD_CORE, seconds, CONNECTIONS)
    front, origin = chain.front.cpu_seconds() - front, chain.origin.cpu_seconds() - origin
    connections = accepted() - connections
    if connections < answered.requests:
        raise NotAnsweredError(f"{answered.requests} requests on {connections} connections")
    chain.origin.check_kept(kept + answered.requests)
    chain.origin.tidy()
    return Round(answered.per_second, front / answered.requests * 1e6, origin / answered.requests * 1e6)


@dataclass(frozen=True)
class Steady:
    """Readers at a fixed rate.

    Attributes:
        took_ms: each click, since it was due.
        late_ms: after that, each was sent.
        asking_cores: used by those who ask.
    """

    took_ms: list[float]
    late_ms: list[float]
    asking_cores: float


def at_a_rate(server: Server, clicks: Clicks, rate: float, seconds: float) -> Steady:
    """Ask at a rate.

    Raises:
        NotAnsweredError: not every answer was a redirect.
    """
    asking = server.cpu_seconds() + _children_seconds()
    port = str(urllib.parse.urlsplit(server.url).port)
    done = subprocess.run(
        [
            *pinned(LOAD_CORE),
            *(sys.executable, "-m", "bench.edge_readers", port, str(rate), str(seconds), str(clicks.file)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    told = json.loads(done.stdout)
    if told["wrong"]:
        raise NotAnsweredError(f"{server.name}: {len(told['wrong'])} clicks failed, the first: {told['wrong'][0]}")
    asking = server.cpu_seconds() + _children_seconds() - asking
    return Steady(told["took_ms"], told["late_ms"], asking / seconds)


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(folder: Path, rounds: int, seconds: int, say: Say) -> dict[str, dict]:
    """Figures by the origin's name, nginx's first."""
    clicks = write_clicks(folder, edge_servers.new_keyring(folder))
    with ExitStack() as running:
        chains = []
        starts = [edge_servers.nginx(folder, SERVER_CORE)]
        starts += [edge_servers.worker(folder, SERVER_CORE, name) for name in NAMES[1:]]
        for start in starts:
            chain = running.enter_context(chained(folder, running.enter_context(start)))
            check_redirects(chain.browsers, clicks)
            if rounds > 1:
                measure(chain, clicks, WARM_SECONDS)
            chains.append(chain)
        turns: dict[str, list[Round]] = {name: [] for name in NAMES}
        for number in range(1, rounds + 1):
            for chain in chains:
                turn = measure(chain, clicks, seconds)
                turns[chain.origin.name].append(turn)
                say(f"round {number} of {rounds}, {chain.origin.name}: {turn.per_second:,.0f} new connections a second")
        rate = spread([turn.per_second for turn in turns[NGINX]])["median"] * RATE
        steady: dict[str, list[Steady]] = {name: [] for name in NAMES}
        for number in range(1, rounds + 1):
            for chain in chains:
                name = chain.origin.name
                each = at_a_rate(chain.browsers, clicks, rate, seconds)
                steady[name].append(each)
                chain.origin.tidy()
                p99 = quantile(each.took_ms, 0.99)
                say(f"round {number} of {rounds}, {name}: p99 {p99:.2f} ms at {rate:,.0f} a second")
    return {
        name: {
            **figures(turns[name], turns[NGINX]),
            "rate": rate,
            "requests": sum(len(each.took_ms) for each in steady[name]),
            "ms": percentiles([took for each in steady[name] for took in each.took_ms]),
            "late_p99_ms": quantile([late for each in steady[name] for late in each.late_ms], 0.99),
            "asking_cores": spread([each.asking_cores for each in steady[name]])["median"],
        }
        for name in NAMES
    }


def figures(turns: list[Round], reference: list[Round]) -> dict[str, dict]:
    """Throughput of one chain, beside the reference's of the same rounds."""

    def of(rounds: list[Round], name: str) -> list[float]:
        return [getattr(turn, name) for turn in rounds]

    compared = ("per_second", "per_core_second")
    return {
        **{name: spread(of(turns, name)) for name in (*compared, "front_us", "origin_us", "cores")},
        **{f"{name}_ratio": ratios(of(turns, name), of(reference, name)) for name in compared},
    }


def show(measured: dict[str, dict]) -> None:
    """Two tables."""
    print("Caddy in front, on the same core; a new TLS connection with a full handshake for every click")
    print(
        f"{'':32}{'a core-second':>14}  {'of nginx':<21}{'CPU us, front':>14}{'origin':>8}"
        f"{'a second':>10}  {'of nginx':<21}{'cores':>6}"
    )
    for name, each in measured.items():
        print(
            f"{name:32}{each['per_core_second']['median']:>14,.0f}  {between(each['per_core_second_ratio'], 2):<21}"
            f"{each['front_us']['median']:>14.0f}{each['origin_us']['median']:>8.0f}"
            f"{each['per_second']['median']:>10,.0f}  {between(each['per_second_ratio'], 2):<21}"
            f"{each['cores']['median']:>6.2f}"
        )
    print(f"\nMilliseconds at {measured[NGINX]['rate']:,.0f} clicks a second, from when each was due")
    columns = (*QUANTILES, "max")
    print(f"{'':32}" + "".join(f"{column:>9}" for column in columns) + f"{'sent late, p99':>16}{'asking cores':>14}")
    for name, each in measured.items():
        times = "".join(f"{each['ms'][column]:>9.2f}" for column in columns)
        print(f"{name:32}{times}{each['late_p99_ms']:>16.2f}{each['asking_cores']:>14.2f}")
