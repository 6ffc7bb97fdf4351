"""P7: memory of a worker under load, and of everything on one machine when nothing happens."""

import time
from pathlib import Path

from bench import edge_servers
from bench.edge_load import STEADY_CONNECTIONS, as_fast_as_it_goes, write_clicks
from bench.edge_machine import LOAD_CORE, SERVER_CORE
from bench.edge_rounds import Say
from bench.edge_usage import family, peak_resident_mb, proportional_mb
from torture.processes import Install

LOAD_SECONDS = 3


def run(folder: Path, rounds: int, seconds: int, say: Say) -> dict[str, float]:
    """Megabytes; `seconds` is how long everything is left alone before it is looked at."""
    clicks = write_clicks(folder, edge_servers.new_keyring(folder))
    with edge_servers.worker(folder, SERVER_CORE) as server:
        for number in range(1, rounds + 1):
            as_fast_as_it_goes(server.url, clicks, LOAD_CORE, LOAD_SECONDS, STEADY_CONNECTIONS)
            server.tidy()
            say(f"round {number} of {rounds}: worker's peak {peak_resident_mb(server.pid):.1f} MB")
        worker = peak_resident_mb(server.pid)
    with Install(folder / "up", listeners=False) as install:
        up = install.up()
        up.wait_ready()
        say(f"`waypost up` is ready; its memory after {seconds} s")
        time.sleep(seconds)
        everything, processes = proportional_mb(up.process.pid), len(list(family(up.process.pid)))
        up.stop()
    return {"worker_peak_mb": worker, "idle_mb": everything, "idle_processes": processes, "idle_seconds": seconds}


def show(measured: dict[str, float]) -> None:
    """Two lines."""
    print(f"worker, group commit, {STEADY_CONNECTIONS} connections: {measured['worker_peak_mb']:.1f} MB at most")
    print(
        f"waypost up, idle for {measured['idle_seconds']} s: {measured['idle_mb']:.1f} MB "
        f"in {measured['idle_processes']} processes, what they share counted once"
    )
