"""P1: what a redirect costs beside nginx's: kept-alive HTTP, one worker on one core, every click written.

Waypost runs in both forms: as Python, and with the modules compiled that a redirect goes through. The gates are for
readers who connect themselves, as wrk does. A last line is for those behind the TLS front, each with an address of her
own that the edge has to read and judge.
"""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench import edge_rounds, edge_servers
from bench.edge_load import CONNECTIONS, write_clicks
from bench.edge_machine import SERVER_CORE
from bench.edge_rounds import Say


def run(folder: Path, rounds: int, seconds: int, say: Say) -> dict[str, dict]:
    """Figures by server."""
    clicks = write_clicks(folder, edge_servers.new_keyring(folder))
    with ExitStack() as running:
        servers = [
            running.enter_context(server)
            for server in (
                edge_servers.nginx(folder, SERVER_CORE),
                edge_servers.granian(folder, SERVER_CORE),
                edge_servers.bare(folder, SERVER_CORE),
                edge_servers.worker(folder, SERVER_CORE, edge_servers.PROCESS),
                edge_servers.worker(folder, SERVER_CORE, edge_servers.GROUP),
                edge_servers.worker(folder, SERVER_CORE, edge_servers.COMPILED_PROCESS),
                edge_servers.worker(folder, SERVER_CORE, edge_servers.COMPILED_GROUP),
            )
        ]
        group = next(server for server in servers if server.name == edge_servers.GROUP)
        servers.append(replace(group, name=edge_servers.FRONTED, fronted=True))
        return edge_rounds.take_turns(servers, clicks, rounds, seconds, say)


def show(measured: dict[str, dict]) -> None:
    """A table."""
    print(f"One worker on one core, {CONNECTIONS} kept connections, the load on another core")
    edge_rounds.show(measured)
