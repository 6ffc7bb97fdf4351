"""One and two workers on a port they share, beside as many of nginx's: `waypost edge`, agent included, on two cores."""

from contextlib import ExitStack
from pathlib import Path

from bench import edge_rounds, edge_servers
from bench.edge_load import CONNECTIONS, write_clicks
from bench.edge_machine import CORES, LOAD_BESIDE_TWO, TWO_SERVER_CORES
from bench.edge_rounds import Say

WORKERS = (1, 2)


def run(folder: Path, rounds: int, seconds: int, say: Say) -> dict[str, dict]:
    """Figures by number of workers, then by server."""
    clicks = write_clicks(folder, edge_servers.new_keyring(folder))
    measured = {}
    for workers in WORKERS:
        with ExitStack() as running:
            servers = [
                running.enter_context(start(folder, TWO_SERVER_CORES, workers))
                for start in (edge_servers.nginx, edge_servers.edge)
            ]
            measured[str(workers)] = edge_rounds.take_turns(
                servers,
                clicks,
                rounds,
                seconds,
                lambda text, workers=workers: say(f"{workers} workers, {text}"),
                LOAD_BESIDE_TWO,
            )
    return measured


def show(measured: dict[str, dict]) -> None:
    """A table for each number of workers."""
    print(f"`waypost edge --workers N`, group commit, {CONNECTIONS} kept connections, servers on two cores")
    if len(CORES) < 3:
        print("There is no third core here: the load takes its part of the two, so two workers cannot do twice as much")
    for workers, servers in measured.items():
        print(f"\n{workers} worker{'s' if workers != '1' else ''}")
        edge_rounds.show(servers)
