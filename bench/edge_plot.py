"""The figures of bench/edge.py as a picture: python -m bench.edge_plot FILE.json FILE.png"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from bench.edge_figures import QUANTILES
from bench.edge_gates import GATES, WAIT_MS, Gate
from bench.edge_servers import COMPILED_GROUP, COMPILED_PROCESS, FRONTED, GROUP, NGINX, PROCESS
from matplotlib.axes import Axes
from matplotlib.ticker import ScalarFormatter

OURS, OTHERS, GATE, LINES = "#1a73e8", "#9aa0a6", "#d93025", "#5f6368"
COLOURS = {
    NGINX: OTHERS,
    PROCESS: "#8ab4f8",
    GROUP: OURS,
    FRONTED: "#669df6",
    COMPILED_PROCESS: "#81c995",
    COMPILED_GROUP: "#1e8e3e",
}
SHORT = {NGINX: "nginx", PROCESS: "Waypost, process", GROUP: "Waypost, group"}
BEHIND_CADDY = {
    NGINX: "nginx",
    GROUP: "group",
    COMPILED_PROCESS: "process,\ncompiled",
    COMPILED_GROUP: "group,\ncompiled",
}


def plot(results: Mapping[str, dict], path: Path) -> None:
    """Draw them."""
    figure = plt.figure(figsize=(13, 8.5), layout="constrained")
    above, below = figure.subfigures(2, 1)
    (cpu, latency), (tls, tls_p99, workers, memory) = above.subplots(1, 2), below.subplots(1, 4)
    _cpu(cpu, results["redirect"])
    _latency(latency, results["latency"])
    _tls(tls, results["tls"])
    _tls_p99(tls_p99, results["tls"])
    _workers(workers, results["workers"])
    _memory(memory, results["memory"])
    for each in (cpu, latency, tls, tls_p99, workers, memory):
        each.spines[["top", "right"]].set_visible(False)
    where = results["machine"]
    machine = f"{where['CPU']}, {where['cores']} cores, Linux {where['kernel']}, Python {where['Python']}"
    figure.suptitle(f"The edge beside nginx   ·   {machine}\n", fontsize=11, color=LINES)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _gate(name: str) -> Gate:
    return next(gate for gate in GATES if gate.name == name)


def _errors(spreads: Sequence[Mapping[str, float]]) -> list[list[float]]:
    """As matplotlib wants them: how far down, how far up."""
    return [[each["median"] - each["low"] for each in spreads], [each["high"] - each["median"] for each in spreads]]


def _cpu(axes: Axes, redirect: Mapping[str, dict]) -> None:
    spreads = [each["cpu_ratio"] for each in redirect.values()]
    axes.barh(
        list(redirect),
        [each["median"] for each in spreads],
        xerr=_errors(spreads),
        color=[COLOURS.get(name, OTHERS) for name in redirect],
        ecolor=LINES,
        height=0.6,
    )
    for row, each in enumerate(redirect.values()):
        axes.text(each["cpu_ratio"]["high"] + 0.15, row, f"{each['cpu_us']['median']:.1f} µs", va="center", fontsize=9)
    rows = {name: row for row, name in enumerate(redirect)}
    for name, gate in (
        (PROCESS, "P1 CPU of a redirect, process"),
        (GROUP, "P1 CPU of a redirect, group"),
        (COMPILED_PROCESS, "P1 CPU of a redirect, process, compiled"),
        (COMPILED_GROUP, "P1 CPU of a redirect, group, compiled"),
    ):
        low, high = rows[name] - 0.42, rows[name] + 0.42
        axes.vlines(_gate(gate).limit, low, high, color=GATE)
        axes.vlines(_gate(gate).stretch, low, high, color=GATE, linestyles="dotted")
    axes.plot([], [], color=GATE, label="gate")
    axes.plot([], [], ":", color=GATE, label="to be proud of")
    axes.legend(loc="upper right", frameon=False)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("times nginx's in the same round (bar: median, line: extremes)")
    axes.set_title("CPU of a redirect")


def _latency(axes: Axes, latency: Mapping[str, dict]) -> None:
    for name, each in latency.items():
        values = [each["ms"][quantile] for quantile in QUANTILES]
        label = f"{SHORT[name]}, {each['rate']:,.0f} a second"
        axes.plot(list(QUANTILES), values, "o-", color=COLOURS[name], label=label)
    axes.axhline(WAIT_MS, color=GATE, linewidth=1, label="the longest a reader waits for the disk (P1: p99)")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.set_ylabel("ms (log)")
    axes.legend(frameon=False)
    axes.set_title("Latency at half of each one's throughput")


def _tls(axes: Axes, tls: Mapping[str, dict]) -> None:
    spreads = [each["per_core_second"] for each in tls.values()]
    names = [BEHIND_CADDY[name] for name in tls]
    _bars(
        axes, names, [each["median"] for each in spreads], [COLOURS[name] for name in tls], "{:,.0f}", _errors(spreads)
    )
    limit = tls[NGINX]["per_core_second"]["median"] * _gate(f"P2 throughput behind Caddy, {GROUP}").limit
    axes.axhline(limit, color=GATE, linewidth=1)
    axes.set_title("Behind Caddy: new TLS\nconnections a second of CPU")


def _tls_p99(axes: Axes, tls: Mapping[str, dict]) -> None:
    names = [BEHIND_CADDY[name] for name in tls]
    _bars(axes, names, [each["ms"]["p99"] for each in tls.values()], [COLOURS[name] for name in tls], "{:.1f}")
    axes.axhline(tls[NGINX]["ms"]["p99"] + _gate(f"P2 p99 behind Caddy, {GROUP}").limit, color=GATE, linewidth=1)
    axes.set_title(f"Behind Caddy: p99 in ms\nat {tls[NGINX]['rate']:,.0f} connections a second")


def _workers(axes: Axes, workers: Mapping[str, dict]) -> None:
    spreads = [servers[GROUP]["per_second"] for servers in workers.values()]
    names = [f"{number} worker{'s' if number != '1' else ''}" for number in workers]
    _bars(axes, names, [each["median"] for each in spreads], [OURS] * len(names), "{:,.0f}", _errors(spreads))
    axes.set_title("Waypost, group:\nredirects a second")


def _memory(axes: Axes, memory: Mapping[str, float]) -> None:
    values = [memory["worker_peak_mb"], memory["idle_mb"]]
    _bars(axes, ["a worker,\nloaded", "everything,\nidle"], values, [OURS, OURS], "{:.0f}")
    for column, gate in enumerate(("P7 memory of a worker", "P7 memory of everything, idle")):
        axes.hlines(_gate(gate).limit, column - 0.4, column + 0.4, color=GATE, linewidth=1)
    axes.set_title("Memory, MB\n")


def _bars(
    axes: Axes,
    names: list[str],
    values: list[float],
    colours: list[str],
    text: str,
    errors: list[list[float]] | None = None,
) -> None:
    bars = axes.bar(names, values, color=colours, width=0.6, yerr=errors, ecolor=LINES)
    labels = [text.format(value) for value in values]
    axes.bar_label(bars, labels, label_type="center", color="white", fontweight="bold")


if __name__ == "__main__":
    plot(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
