"""C3: who was behind a hit, as the rules say and as it was. And how many hits a second they are asked about.

    python -m bench.verdict [--mailings N]

People and machines are simulated (`waypost.testing.readers`), with seeds that were looked at while the rules were
written, and with others that are held out; each has to pass the gate alone. A person's hit that is in doubt (`unknown`)
counts as missed, and so does a machine's.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from msgspec.structs import replace

from waypost.events.client_parser import ClientParser
from waypost.events.verdict import (
    RULES_VERSION,
    Evidence,
    SendFacts,
    Verdict,
    VerdictClass,
    classify_batch,
    settled_at,
)
from waypost.telemetry.garbage import spare_the_collector
from waypost.testing.readers import SCENARIOS, readers
from waypost.testing.visit import SimulatedSend

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"

SEEDS = {"seen": range(1, 6), "held out": range(9001, 9006)}
MAILINGS = 2_000
BATCH = 5_000
SPEED_ROUNDS = 5

HUMAN_RECALL, MACHINE_RECALL, MACHINE_PRECISION = "human recall", "machine recall", "machine precision"
GATE = {HUMAN_RECALL: 0.995, MACHINE_RECALL: 0.95, MACHINE_PRECISION: 0.99}
P4_EVENTS_PER_SECOND = 50_000

PERSON, MACHINE = "person", "machine"
COLOURS = {"human": "#1a73e8", "unknown": "#dadce0", "machine": "#d93025"}


@dataclass
class Confusion:
    """(truth, verdict) of hits, by scenario."""

    scenarios: dict[str, Counter] = field(
        default_factory=lambda: {scenario.__name__: Counter() for scenario, _ in SCENARIOS}
    )

    def add(self, scenario: str, truth: str, verdict: VerdictClass) -> None:
        self.scenarios[scenario][truth, str(verdict)] += 1

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


def as_known(hit: Evidence) -> Evidence:
    """Everything that the simulation has."""
    return hit


# What an install may lack. Not gated: it is what a user of it gets.
LESS = {
    "without a database of AS numbers": lambda hit: replace(hit, as_organisation=""),
    "with the IP policy `none`": lambda hit: replace(hit, client_address="", as_organisation=""),
}


def judged(
    sends: Sequence[SimulatedSend], parser: ClientParser, known: Callable[[Evidence], Evidence]
) -> Iterator[tuple[str, bool, Verdict]]:
    """Of each hit its scenario, whether a person was behind it, and the verdict when everything has settled."""
    visits = [(send, visit) for send in sends for visit in send.visits]
    hits = [(send.send_id, known(hit)) for send in sends for hit in send.evidence(parser)]
    settled = settled_at(hit for _, hit in hits)
    verdicts = classify_batch(hits, {send.send_id: send.facts for send in sends}, settled)
    for (send, visit), verdict in zip(visits, verdicts, strict=True):
        yield send.scenario, visit.person, verdict


def confusion(
    seeds: Iterable[int], mailings: int, parser: ClientParser, known: Callable[[Evidence], Evidence] = as_known
) -> Confusion:
    found = Confusion()
    for seed in seeds:
        for scenario, person, verdict in judged(list(readers(seed, mailings)), parser, known):
            found.add(scenario, PERSON if person else MACHINE, verdict.verdict_class)
    return found


def alike(found: Confusion) -> dict[str, float]:
    """Recalls with every scenario counted alike, however many hits it has."""
    each = [scores(counts) | {"of": counts} for counts in found.scenarios.values()]
    people = [one[HUMAN_RECALL] for one in each if any(truth == PERSON for truth, _ in one["of"])]
    machines = [one[MACHINE_RECALL] for one in each if any(truth == MACHINE for truth, _ in one["of"])]
    return {HUMAN_RECALL: statistics.mean(people), MACHINE_RECALL: statistics.mean(machines)}


def speed(mailings: int, parser: ClientParser) -> dict[str, int]:
    """Hits judged a second on this core: as a collector has them, one of a send, and all of each send together."""
    spare_the_collector()  # as the pipeline does
    sends = list(readers(7, mailings))
    facts = {send.send_id: send.facts for send in sends}
    hits = [(send.send_id, hit) for send in sends for hit in send.evidence(parser)]
    # Each hit of a send of its own, in batches of what an edge seals in a second.
    alone = {UUID(int=number): facts[send_id] for number, (send_id, _) in enumerate(hits)}
    batches = [
        [(UUID(int=first + place), hit) for place, (_, hit) in enumerate(hits[first : first + BATCH])]
        for first in range(0, len(hits), BATCH)
    ]
    return {
        "hits a second, one of each send": rate(batches, alone),
        "hits a second, all of each send": rate([hits], facts),
    }


def rate(batches: Sequence[list[tuple[UUID, Evidence]]], facts: Mapping[UUID, SendFacts]) -> int:
    now = settled_at(hit for batch in batches for _, hit in batch)
    taken = []
    for _ in range(SPEED_ROUNDS):
        began = time.process_time()
        for batch in batches:
            classify_batch(batch, facts, now)
        taken.append(time.process_time() - began)
    return round(sum(map(len, batches)) / min(taken))


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
    print("  every scenario counted alike: " + told(alike(found)))
    return result


def told(result: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.2%}" for name, value in result.items())


def plot(found: Confusion, result: Mapping[str, float], path: Path) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(12, 6.5), sharey=True, layout="constrained")
    names = list(found.scenarios)
    for axis, truth, order in zip(axes, (PERSON, MACHINE), (list(COLOURS), list(COLOURS)[::-1]), strict=True):
        for row, name in enumerate(names):
            _bar(axis, row, [(found.scenarios[name][truth, verdict], COLOURS[verdict]) for verdict in order])
        axis.set_title(f"Hits of a {truth}")
        axis.set_xlabel("% of them")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes[0].invert_yaxis()
    judged_as = [Patch(color=colour, label=f"judged {verdict}") for verdict, colour in COLOURS.items()]
    figure.legend(handles=judged_as, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(f"Verdicts on held-out seeds   ·   {told(result)}")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _bar(axis: Axes, row: int, parts: Sequence[tuple[int, str]]) -> None:
    whole, left = sum(count for count, _ in parts), 0.0
    for count, colour in parts:
        if count:
            axis.barh(row, 100 * count / whole, left=left, color=colour)
            left += 100 * count / whole


def rounded(result: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in result.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mailings", type=int, default=MAILINGS, help="of each seed")
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    clients = ClientParser()
    found = {name: confusion(seeds, options.mailings, clients) for name, seeds in SEEDS.items()}
    results = {name: show(name, each) for name, each in found.items()}
    less = {
        name: scores(confusion(SEEDS["held out"], options.mailings, clients, each).total) for name, each in LESS.items()
    }
    print("\nWith less to go by (held-out seeds)")
    for name, each in less.items():
        print(f"  {name:34} {told(each)}")
    fast = speed(options.mailings, clients)
    print("\nOn one core")
    for name, value in fast.items():
        print(f"  {name:34} {value:>9,}   (P4, all of the pipeline: {P4_EVENTS_PER_SECOND:,})")
    RESULTS.mkdir(exist_ok=True)
    document = {
        "rules version": RULES_VERSION,
        "mailings of each seed": options.mailings,
        "scores": {name: rounded(each) for name, each in (results | less).items()},
        "scores, every scenario counted alike": {name: rounded(alike(each)) for name, each in found.items()},
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
