"""The gates P1, P2 and P7 as a table: what is asked, and where among the figures it is measured."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.edge_servers import COMPILED_GROUP, COMPILED_PROCESS, GROUP, NGINX, PROCESS

from waypost.config import load

Results = Mapping[str, dict]
"""Figures by part: `redirect`, `latency`, `workers`, `tls`, `memory`."""


@dataclass(frozen=True)
class Gate:
    """One figure that must be on the right side of a limit.

    Attributes:
        name: of the gate, and what it is about.
        part: it is measured in.
        figure: of that part's figures.
        limit: in `unit`.
        at_most: else at least.
        stretch: what would be better still, where that was named.
    """

    name: str
    part: str
    figure: Callable[[dict], float]
    limit: float
    unit: str
    at_most: bool = True
    stretch: float | None = None

    def asked(self) -> str:
        """In words."""
        stretch = f" ({self.stretch:g} to be proud of)" if self.stretch is not None else ""
        return f"{'at most' if self.at_most else 'at least'} {self.limit:g} {self.unit}{stretch}"

    def met_by(self, measured: float) -> bool:
        """Whether that is enough."""
        return measured <= self.limit if self.at_most else measured >= self.limit


def _cpu(name: str) -> Callable[[dict], float]:
    return lambda part: part[name]["cpu_ratio"]["median"]


def _throughput(name: str) -> Callable[[dict], float]:
    return lambda part: part[name]["per_second_ratio"]["median"]


def _a_core_second(name: str) -> Callable[[dict], float]:
    return lambda part: part[name]["per_core_second_ratio"]["median"]


def _p99(name: str) -> Callable[[dict], float]:
    return lambda part: part[name]["ms"]["p99"]


def _beyond_nginx(name: str) -> Callable[[dict], float]:
    return lambda part: _p99(name)(part) - _p99(NGINX)(part)


WAIT_MS = load(None, {}, Path()).spool.sync_wait_seconds * 1000
NGINX_S = "x nginx's"

GATES = (
    Gate("P1 CPU of a redirect, process", "redirect", _cpu(PROCESS), 4, NGINX_S, stretch=2.5),
    Gate("P1 CPU of a redirect, group", "redirect", _cpu(GROUP), 6, NGINX_S, stretch=3.5),
    Gate("P1 CPU of a redirect, process, compiled", "redirect", _cpu(COMPILED_PROCESS), 4, NGINX_S, stretch=2.5),
    Gate("P1 CPU of a redirect, group, compiled", "redirect", _cpu(COMPILED_GROUP), 6, NGINX_S, stretch=3.5),
    Gate("P1 throughput, process", "redirect", _throughput(PROCESS), 0.25, NGINX_S, at_most=False),
    Gate("P1 throughput, group", "redirect", _throughput(GROUP), 0.18, NGINX_S, at_most=False),
    Gate("P1 throughput, process, compiled", "redirect", _throughput(COMPILED_PROCESS), 0.25, NGINX_S, at_most=False),
    Gate("P1 throughput, group, compiled", "redirect", _throughput(COMPILED_GROUP), 0.18, NGINX_S, at_most=False),
    Gate("P1 p99 at half load, process", "latency", _p99(PROCESS), WAIT_MS, "ms, spool.sync_wait_seconds"),
    Gate("P1 p99 at half load, group", "latency", _p99(GROUP), WAIT_MS, "ms, spool.sync_wait_seconds"),
    *(
        gate
        for name in (GROUP, COMPILED_PROCESS, COMPILED_GROUP)
        for gate in (
            Gate(f"P2 throughput behind Caddy, {name}", "tls", _a_core_second(name), 0.9, NGINX_S, at_most=False),
            Gate(f"P2 p99 behind Caddy, {name}", "tls", _beyond_nginx(name), 2, "ms more than nginx"),
        )
    ),
    Gate("P7 memory of a worker", "memory", lambda part: part["worker_peak_mb"], 80, "MB"),
    Gate("P7 memory of everything, idle", "memory", lambda part: part["idle_mb"], 700, "MB"),
)


@dataclass(frozen=True)
class Row:
    """A gate with what was measured."""

    gate: str
    asked: str
    measured: float
    met: bool


def rows(results: Results) -> Iterator[Row]:
    """Every gate of the parts that were measured."""
    for gate in GATES:
        if gate.part in results:
            measured = gate.figure(results[gate.part])
            yield Row(gate.name, gate.asked(), round(measured, 3), gate.met_by(measured))


def show(results: Results) -> None:
    """A table."""
    print(f"{'gate':54}{'asked':42}{'measured':>9}")
    for row in rows(results):
        print(f"{row.gate:54}{row.asked:42}{row.measured:>9.2f}  {'met' if row.met else 'NOT MET'}")
