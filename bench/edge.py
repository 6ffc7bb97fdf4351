"""The edge beside nginx, on this machine, in one run: `make bench-edge` (gates P1, P2 and P7).

    python -m bench.edge [--quick] [PART ...]    parts: redirect latency workers tls memory; none: all of them
    python -m bench.edge --odd                   instead: what each server makes of odd requests (ADR 3)

nginx, wrk, h2load and Caddy are Debian's. What is measured runs on one core, who asks on another, and servers take
turns. CPU time is the scheduler's own account of all of a server's threads. A whole run takes about five minutes and
leaves edge.json and edge.png in bench/results and a table in docs/reliability.md. --quick takes less than one and
leaves the first two in build/bench. Parts alone leave nothing.

It reports and does not judge: its status is 0 whether gates are met or not, for on a busy machine they are not.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import edge_gates, edge_latency, edge_memory, edge_odd, edge_page, edge_redirect, edge_tls, edge_workers
from bench.edge_machine import CORES, machine
from bench.edge_plot import plot
from bench.edge_rounds import Say

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"
BUILD = ROOT / "build" / "bench"
"""On the disk of the repository: /tmp may be memory, where a sync costs nothing."""
DIGITS = 4
"""Of a figure that is written; rounds differ in the second."""


@dataclass(frozen=True)
class Part:
    """A part of the run.

    Attributes:
        run: takes a folder, rounds, seconds of a server's turn in each, and whom to tell how far it is; gives figures.
        show: prints them.
        rounds: but with --quick, one.
        seconds: but with --quick, one.
    """

    run: Callable[[Path, int, int, Say], dict]
    show: Callable[[dict], None]
    rounds: int
    seconds: int


PARTS = {
    "redirect": Part(edge_redirect.run, edge_redirect.show, rounds=7, seconds=2),
    "latency": Part(edge_latency.run, edge_latency.show, rounds=3, seconds=5),
    "workers": Part(edge_workers.run, edge_workers.show, rounds=3, seconds=2),
    "tls": Part(edge_tls.run, edge_tls.show, rounds=8, seconds=2),
    "memory": Part(edge_memory.run, edge_memory.show, rounds=3, seconds=20),
}


def measure(part: str, rounds: int, seconds: int, folder: Path) -> dict:
    """Run a part and print what it found."""
    print(f"\n== {part}", flush=True)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"  {time.monotonic() - began:4.0f} s  {text}", flush=True)

    folder.mkdir()
    measured = PARTS[part].run(folder, rounds, seconds, say)
    print()
    PARTS[part].show(measured)
    return measured


def main() -> None:
    """Run, print, and leave the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="less than a minute: to see that it works")
    parser.add_argument("--rounds", type=int, help="of each part, instead of its own number")
    parser.add_argument("--seconds", type=int, help="of a server's turn, instead of the part's own")
    parser.add_argument("--odd", action="store_true", help="odd requests instead")
    options = parser.parse_args()
    if unknown := set(options.parts) - PARTS.keys():
        parser.error(f"no part {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        if options.odd:
            edge_odd.report(Path(name))
            return
        where = machine(Path(name))
        for fact, value in where.items():
            print(f"{fact}: {value}")
        if len(CORES) == 1:
            print("One core: servers and load share it, and figures other than CPU time say little.")
        results = {}
        for part in options.parts or PARTS:
            full = PARTS[part]
            rounds = options.rounds or (1 if options.quick else full.rounds)
            seconds = options.seconds or (1 if options.quick else full.seconds)
            results[part] = measure(part, rounds, seconds, Path(name) / part)
    print("\n== gates\n")
    edge_gates.show(results)
    if not options.parts:
        whole = {"machine": where, **results, "gates": [asdict(row) for row in edge_gates.rows(results)]}
        leave(whole, BUILD if options.quick else RESULTS)
        if not options.quick:
            edge_page.PAGE.write_text(edge_page.page(edge_page.PAGE.read_text(), rounded(whole)))


def rounded(value: object) -> object:
    """With as many digits as mean something."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def leave(results: dict, folder: Path) -> None:
    """Write the results and their plot."""
    (folder / "edge.json").write_text(json.dumps(rounded(results), indent=2) + "\n")
    plot(results, folder / "edge.png")
    print(f"\nwritten: {folder.relative_to(ROOT)}/edge.json and .png")


if __name__ == "__main__":
    main()
