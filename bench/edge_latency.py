"""P1, latency: percentiles at half of what each server can do, at a fixed rate over kept connections."""

from contextlib import ExitStack
from pathlib import Path

from bench import edge_servers
from bench.edge_figures import QUANTILES, percentiles
from bench.edge_load import STEADY_CONNECTIONS, as_fast_as_it_goes, at_a_rate, write_clicks
from bench.edge_machine import LOAD_CORE, SERVER_CORE
from bench.edge_rounds import Say

CAPACITY_SECONDS = 2


def run(folder: Path, rounds: int, seconds: int, say: Say) -> dict[str, dict]:
    """Figures by server."""
    clicks = write_clicks(folder, edge_servers.new_keyring(folder))
    with ExitStack() as running:
        servers = [
            running.enter_context(server)
            for server in (
                edge_servers.nginx(folder, SERVER_CORE),
                edge_servers.worker(folder, SERVER_CORE, edge_servers.PROCESS),
                edge_servers.worker(folder, SERVER_CORE, edge_servers.GROUP),
            )
        ]
        rates = {}
        for server in servers:
            capacity = as_fast_as_it_goes(server.url, clicks, LOAD_CORE, min(seconds, CAPACITY_SECONDS)).per_second
            rates[server.name] = capacity / 2
            server.tidy()
        taken: dict[str, list[float]] = {server.name: [] for server in servers}
        unsynced = dict.fromkeys(taken, 0)
        for number in range(1, rounds + 1):
            for server in servers:
                before = server.unsynced()
                times = at_a_rate(server.url, clicks, LOAD_CORE, rates[server.name], seconds, folder)
                unsynced[server.name] += server.unsynced() - before
                taken[server.name] += times
                server.tidy()
                p99, rate = percentiles(times)["p99"], rates[server.name]
                say(f"round {number} of {rounds}, {server.name}: p99 {p99:.2f} ms at {rate:,.0f} a second")
    return {
        name: {
            "rate": rates[name],
            "requests": len(times),
            "held": len(times) / (rates[name] * rounds * seconds),
            "unsynced": unsynced[name],
            "ms": percentiles(times),
        }
        for name, times in taken.items()
    }


def show(measured: dict[str, dict]) -> None:
    """A table."""
    print(f"Milliseconds at half of each server's own throughput, {STEADY_CONNECTIONS} kept connections")
    names = (*QUANTILES, "max")
    print(f"{'':32}{'a second':>9}{'of it held':>12}" + "".join(f"{name:>9}" for name in names) + f"{'unsynced':>10}")
    for name, each in measured.items():
        print(
            f"{name:32}{each['rate']:>9,.0f}{each['held']:>12.0%}"
            + "".join(f"{each['ms'][quantile]:>9.2f}" for quantile in names)
            + f"{each['unsynced']:>10,}"
        )
