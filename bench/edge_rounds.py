"""Servers that take turns at answering as fast as they can, round after round.

The ratio to the reference in the same round counts: neighbours on the machine come and go.
"""

import http.client
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.edge_figures import ratios, spread
from bench.edge_load import HOST, Clicks, NotAnsweredError, as_fast_as_it_goes
from bench.edge_machine import LOAD_CORE
from bench.edge_servers import STATIC_DESTINATION, Server

WARM_SECONDS = 1
Say = Callable[[str], None]


@dataclass(frozen=True)
class Round:
    """One server, once.

    Attributes:
        cpu_us: of all its processes, a request.
        per_second: requests answered.
        cores: it used. Less than it may, when the load cannot keep it busy, or others had the rest.
        p99_ms: of a request, while all connections wait for answers.
        unsynced: part of the clicks that were answered after the wait limit, before the disk said so.
    """

    cpu_us: float
    per_second: float
    cores: float
    p99_ms: float
    unsynced: float


def measure(server: Server, clicks: Clicks, seconds: int, load: frozenset[int] = LOAD_CORE) -> Round:
    """Ask as fast as it goes; every click must have been written.

    Raises:
        NotAnsweredError: not every answer was a redirect.
        NotMeasuredError: a click was not written.
    """
    cpu, kept, unsynced = server.cpu_seconds(), server.kept(), server.unsynced()
    answered = as_fast_as_it_goes(server.url, clicks, load, seconds, fronted=server.fronted)
    cpu = server.cpu_seconds() - cpu
    server.check_kept(kept + answered.requests)
    unsynced = server.unsynced() - unsynced
    server.tidy()
    return Round(
        cpu_us=cpu / answered.requests * 1e6,
        per_second=answered.per_second,
        cores=cpu / answered.seconds,
        p99_ms=answered.p99_ms,
        unsynced=unsynced / answered.requests,
    )


def check_redirects(server: Server, clicks: Clicks) -> None:
    """Ask once, and look where it leads.

    Raises:
        NotAnsweredError: not where it should.
    """
    url = urllib.parse.urlsplit(server.url)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
    connection.request("GET", clicks.path, headers={"Host": HOST})
    answer = connection.getresponse()
    connection.close()
    leads = answer.status, answer.headers["Location"]
    if leads != (302, clicks.destination if server.spool else STATIC_DESTINATION):
        raise NotAnsweredError(f"{server.name}: {leads}")


def take_turns(
    servers: Sequence[Server],
    clicks: Clicks,
    rounds: int,
    seconds: int,
    say: Say,
    load: frozenset[int] = LOAD_CORE,
) -> dict[str, dict]:
    """Measure one after the other, as often as there are rounds: figures by name. The first server is the reference."""
    for server in servers:
        check_redirects(server, clicks)
        if rounds > 1:  # a single one is to see that it works
            measure(server, clicks, WARM_SECONDS, load)
    taken: dict[str, list[Round]] = {server.name: [] for server in servers}
    for number in range(1, rounds + 1):
        for server in servers:
            each = measure(server, clicks, seconds, load)
            taken[server.name].append(each)
            say(f"round {number} of {rounds}, {server.name}: {each.cpu_us:.1f} us CPU, {each.per_second:,.0f} a second")
    return {name: figures(each, taken[servers[0].name]) for name, each in taken.items()}


def figures(rounds: Sequence[Round], reference: Sequence[Round]) -> dict[str, object]:
    """Of one server, beside the reference's of the same rounds."""
    cpu, rate = [each.cpu_us for each in rounds], [each.per_second for each in rounds]
    return {
        "cpu_us": spread(cpu),
        "cpu_ratio": ratios(cpu, [each.cpu_us for each in reference]),
        "per_second": spread(rate),
        "per_second_ratio": ratios(rate, [each.per_second for each in reference]),
        "cores": spread([each.cores for each in rounds]),
        "p99_ms": spread([each.p99_ms for each in rounds]),
        "unsynced": sum(each.unsynced for each in rounds) / len(rounds),
    }


def show(measured: Mapping[str, dict]) -> None:
    """A table of medians; of ratios, the extremes too."""
    print(
        f"{'':36}{'CPU us':>8}  {'of nginx':<20}{'a second':>9}  {'of nginx':<23}"
        f"{'cores':>6}{'p99 ms':>8}{'unsynced':>10}"
    )
    for name, each in measured.items():
        print(
            f"{name:36}{each['cpu_us']['median']:>8.1f}  {between(each['cpu_ratio'], 1):<20}"
            f"{each['per_second']['median']:>9,.0f}  {between(each['per_second_ratio'], 2):<23}"
            f"{each['cores']['median']:>6.2f}{each['p99_ms']['median']:>8.1f}{each['unsynced']:>10.2%}"
        )


def between(ratio: Mapping[str, float], digits: int) -> str:
    """A median and its extremes."""
    return f"{ratio['median']:.{digits}f} ({ratio['low']:.{digits}f} to {ratio['high']:.{digits}f})"
