"""C3: who was behind a hit, as the rules say and as it was. And how many hits a second they are asked about.

    python -m bench.verdict [--mailings N]

People and machines are simulated (`waypost.testing.readers`), with seeds that were looked at while the rules were
written, and with others that are held out; each has to pass the gate alone. A person's hit that is in doubt (`unknown`)
counts as missed, and so does a machine's.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from msgspec.structs import replace

from waypost.events.client_parser import ClientParser
from waypost.events.verdict import RULES_VERSION, Evidence, SendFacts, Verdict, VerdictClass, classify
from waypost.events.verdict import recipients_at_once as count_recipients
from waypost.testing.readers import readers
from waypost.testing.visit import SimulatedSend

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"

SEEDS = {"seen": range(1, 6), "held out": range(9001, 9006)}
MAILINGS = 2_000
LATER = timedelta(days=30)
SPEED_ROUNDS = 5

HUMAN_RECALL, MACHINE_RECALL, MACHINE_PRECISION = "human recall", "machine recall", "machine precision"
GATE = {HUMAN_RECALL: 0.995, MACHINE_RECALL: 0.95, MACHINE_PRECISION: 0.99}
P4_EVENTS_PER_SECOND = 50_000

PERSON, MACHINE = "person", "machine"
HUMANS, MACHINES = "#1a73e8", "#d93025"
DOUBT = "#dadce0"


@dataclass
class Confusion:
    """(truth, verdict) of hits, by scenario."""

    scenarios: dict[str, Counter] = field(default_factory=dict)

    def add(self, scenario: str, truth: str, verdict: VerdictClass) -> None:
        self.scenarios.setdefault(scenario, Counter())[truth, str(verdict)] += 1

    @property
    def total(self) -> Counter:
        return sum(self.scenarios.values(), Counter())


def share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def scores(counts: Counter) -> dict[str, float]:
    people = sum(count for (truth, _), count in counts.items() if truth == PERSON)
    machines = sum(count for (truth, _), count in counts.items() if truth == MACHINE)
    accused = counts[PERSON, "machine"] + counts[MACHINE, "machine"]
    return {
        HUMAN_RECALL: share(counts[PERSON, "human"], people),
        MACHINE_RECALL: share(counts[MACHINE, "machine"], machines),
        MACHINE_PRECISION: share(counts[MACHINE, "machine"], accused),
    }


def judged(
    sends: Sequence[SimulatedSend], parser: ClientParser
) -> Iterable[tuple[SimulatedSend, list[Evidence], Mapping]]:
    """Each send with its evidence and verdicts, as they are when everything has settled."""
    evidence = [send.evidence(parser) for send in sends]
    at_once = count_recipients((send.send_id, hit) for send, hits in zip(sends, evidence, strict=True) for hit in hits)
    for send, hits in zip(sends, evidence, strict=True):
        counted = [replace(hit, recipients_at_once=at_once[hit.event_id]) for hit in hits]
        yield send, counted, classify(counted, send.facts, send.delivered_at + 10 * LATER)


def confusion(seeds: Iterable[int], mailings: int, parser: ClientParser) -> Confusion:
    found = Confusion()
    for seed in seeds:
        for send, hits, verdicts in judged(list(readers(seed, mailings)), parser):
            for visit, hit in zip(send.visits, hits, strict=True):
                verdict: Verdict = verdicts[hit.event_id]
                found.add(send.scenario, PERSON if visit.person else MACHINE, verdict.verdict_class)
    return found


def speed(mailings: int, parser: ClientParser) -> dict[str, int]:
    """Hits classified a second on this core: by sends as simulated, and each hit alone, as a collector has most."""
    sends = [(send.evidence(parser), send.facts) for send in readers(7, mailings)]
    alone = [([hit], facts) for hits, facts in sends for hit in hits]
    return {
        "hits a second, whole sends": round(rate(sends)),
        "hits a second, one hit a send": round(rate(alone)),
    }


def rate(work: Sequence[tuple[list[Evidence], SendFacts]]) -> float:
    hits = sum(len(each) for each, _ in work)
    now = max(hit.occurred_at for each, _ in work for hit in each) + LATER
    taken = []
    for _ in range(SPEED_ROUNDS):
        began = time.process_time()
        for each, facts in work:
            classify(each, facts, now)
        taken.append(time.process_time() - began)
    return hits / sorted(taken)[SPEED_ROUNDS // 2]


def show(name: str, found: Confusion) -> dict[str, float]:
    print(f"\nSeeds {name}: hits by scenario, truth and verdict")
    print(f"  {'':20} {'person:':>9} {'human':>8} {'unknown':>8} {'machine':>8}   {'machine:':>9}", end="")
    print(f" {'human':>8} {'unknown':>8} {'machine':>8}")
    for scenario, counts in [*found.scenarios.items(), ("all", found.total)]:
        cells = [[counts[truth, verdict] for verdict in ("human", "unknown", "machine")] for truth in (PERSON, MACHINE)]
        people, machines = (f"{sum(row):>9,} " + " ".join(f"{cell:>8,}" for cell in row) for row in cells)
        print(f"  {scenario:20} {people}   {machines}")
    result = scores(found.total)
    for score, value in result.items():
        print(
            f"  {score:20} {value:8.2%}   gate (C3): {GATE[score]:.1%}   {'met' if value >= GATE[score] else 'MISSED'}"
        )
    return result


def plot(found: Confusion, result: Mapping[str, float], path: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(12, 6.5), sharey=True, layout="constrained")
    names = list(found.scenarios)
    for axis, truth, right, wrong in zip(axes, (PERSON, MACHINE), (HUMANS, MACHINES), (MACHINES, HUMANS), strict=True):
        order = ("human", "unknown", "machine") if truth == PERSON else ("machine", "unknown", "human")
        _bars(
            axis, [found.scenarios[name] for name in names], truth, dict(zip(order, (right, DOUBT, wrong), strict=True))
        )
        axis.set_title(f"{truth}'s hits: right, in doubt, wrong")
        axis.set_xlabel("share of them, %")
    axes[0].set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes[0].invert_yaxis()
    figure.suptitle(
        "Verdicts on held-out seeds   ·   " + ", ".join(f"{name} {value:.2%}" for name, value in result.items())
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _bars(axis: Axes, scenarios: Sequence[Counter], truth: str, colours: Mapping[str, str]) -> None:
    for row, counts in enumerate(scenarios):
        whole = sum(counts[truth, verdict] for verdict in colours)
        left = 0.0
        for verdict, colour in colours.items():
            width = 100 * share(counts[truth, verdict], whole) if whole else 0
            axis.barh(row, width, left=left, color=colour)
            left += width
    axis.spines[["top", "right"]].set_visible(False)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mailings", type=int, default=MAILINGS, help="of each seed")
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    clients = ClientParser()
    found = {name: confusion(seeds, options.mailings, clients) for name, seeds in SEEDS.items()}
    results = {name: show(name, each) for name, each in found.items()}
    fast = speed(options.mailings, clients)
    print("\nOn one core")
    for name, value in fast.items():
        print(f"  {name:34} {value:>9,}   (P4, all of the pipeline: {P4_EVENTS_PER_SECOND:,})")
    RESULTS.mkdir(exist_ok=True)
    document = {
        "rules version": RULES_VERSION,
        "mailings of each seed": options.mailings,
        "scores": {name: {score: round(value, 4) for score, value in each.items()} for name, each in results.items()},
        "hits": {
            name: {
                scenario: {f"{truth}, judged {verdict}": count for (truth, verdict), count in sorted(counts.items())}
                for scenario, counts in each.scenarios.items()
            }
            for name, each in found.items()
        },
        **fast,
    }
    (RESULTS / "verdict.json").write_text(json.dumps(document, indent=2) + "\n")
    plot(found["held out"], results["held out"], RESULTS / "verdict.png")
    print(f"\nwritten: {RESULTS.relative_to(ROOT)}/verdict.json and .png")
    if any(each[score] < least for each in results.values() for score, least in GATE.items()):
        sys.exit("the gate is missed")


if __name__ == "__main__":
    main()
