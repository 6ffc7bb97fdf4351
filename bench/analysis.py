"""P5: how long each query of the dashboard takes, over 1, 10 and 100 million stored events of 1,000 accounts.

    python -m bench.analysis [--quick] [--rounds N] [--keep] [--size EVENTS]...

The store is embedded, as `waypost up` has it, in build/analysis on the disk; the process is held to two cores, engine
included. It is filled by SQL (bench/analysis_fill.py), asked, filled up to the next size, and deleted at the end. At
100 million events it takes 5 GB, twice that while parts are merged, and 20 minutes to fill. What is timed is the method
that the API calls: SQL, engine and Python.

Each query is asked in three ways: the default period of 31 days, with the 31 before it, of accounts drawn by how much
they send, which is what the dashboards of a thousand customers ask; the same of the largest account, which has a tenth
of everything; and 365 days of the largest account, which is the longest that may be asked. With --keep the store stays,
a later run with --keep asks it again, and the figures of sizes that are passed by stay too.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from bench.analysis_fill import ACCOUNTS, END, TAGS, fill, rows
from bench.analysis_plot import plot
from bench.edge_machine import machine

from waypost.events.name import EventName
from waypost.events.verdict import VerdictClass
from waypost.store import EventStore, StoreFailed
from waypost.store.analysis import Analysis, Dimension, Filters, Period

P5_MS: Final = 300
SIZES: Final = (1_000_000, 10_000_000, 100_000_000)
QUICK: Final = (100_000, 1_000_000)
PAGE: Final = 100
PLACE: Final = Path("build/analysis")
RESULTS: Final = Path(__file__).parent / "results"
MONTH, YEAR = timedelta(days=31), timedelta(days=365)
LIMIT: Final = 100
LARGEST: Final = 1

Query = Callable[[Analysis, int, Period], object]


def by(dimension: Dimension, *, unique: bool = False, **filters: object) -> Query:
    """Engagement by a dimension, as the dashboard asks for it."""
    return lambda analysis, account, period: analysis.engagement(
        account, period, Filters(**filters), dimension, time_zone="Europe/Berlin", limit=LIMIT, unique=unique
    )


QUERIES: Final[Mapping[str, Query]] = {
    "summary": lambda analysis, account, period: analysis.summary(account, period, Filters()),
    "summary of a tag": lambda analysis, account, period: analysis.summary(account, period, Filters(tag="tag-7")),
    "summary of people": lambda analysis, account, period: analysis.summary(
        account, period, Filters(verdict=VerdictClass.HUMAN)
    ),
    **{f"by {dimension}": by(dimension) for dimension in Dimension},
    "by link, uniques too": by(Dimension.LINK, unique=True),
    "clicks by link, of a tag": by(Dimension.LINK, tag=f"tag-{TAGS - 1}", event=EventName.CLICK),
    "deliveries by domain": lambda analysis, account, period: analysis.domains(
        account, period, Filters(event=EventName.DELIVERED), LIMIT
    ),
}
OF_SENDS: Final = (f"clicks of {PAGE} sends", "events of a send")


def drawn(chance: random.Random) -> int:
    """An account, by its share of what is sent."""
    return int((ACCOUNTS + 1) ** chance.random())


def until(chance: random.Random, length: timedelta) -> Period:
    """A period of the year: another one each time, so that none is answered from what the last one left."""
    spare = max(YEAR - 2 * length, timedelta(minutes=10))
    to = END - chance.random() * spare
    return Period(to - length, to)


def timed(ask: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds by the clock, and of the CPU, all threads together."""
    began, cpu_began = time.perf_counter(), time.process_time()
    with contextlib.suppress(StoreFailed):  # given up after READ_SECONDS, which is then what it took
        ask()
    return 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - cpu_began)


def figures(times: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Of whole queries, in milliseconds. CPU time says what a query costs when others keep the cores busy."""
    clock, cpu = (statistics.quantiles(each, n=100, method="inclusive") for each in zip(*times, strict=True))
    return {
        name: round(of[n - 1], 1)
        for name, of, n in (("p50", clock, 50), ("p95", clock, 95), ("cpu_p50", cpu, 50), ("cpu_p95", cpu, 95))
    }


def page_of(store: EventStore, account: int, before: datetime) -> list[UUID]:
    """Sends of a page of a list."""
    sql = """
    SELECT send_id FROM sends WHERE account = {account:UInt64} AND accepted_at < {before:DateTime64(6)}
    ORDER BY toUInt128(send_id) DESC LIMIT {limit:UInt32}
    """
    found = store._query("page", sql, account=account, before=before, limit=PAGE)
    return [send_id for (send_id,) in found]


def measure(store: EventStore, rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Each query in each way."""
    chance = random.Random(7)
    ways: dict[str, tuple[Callable[[], int], timedelta]] = {
        "31 days": (lambda: drawn(chance), MONTH),
        "31 days, largest account": (lambda: LARGEST, MONTH),
        "365 days, largest account": (lambda: LARGEST, YEAR),
    }
    found: dict[str, dict[str, dict[str, float]]] = {}
    for way, (account, length) in ways.items():
        of_way = found[way] = {}
        # A year of the largest account takes seconds, and is not what the gate is about.
        times_asked = rounds if length < YEAR else max(3, rounds // 4)
        for name, query in QUERIES.items():
            times = []
            for _ in range(times_asked + 1):
                asked = account(), until(chance, length)
                times.append(timed(partial(query, store.analysis, *asked)))
            of_way[name] = figures(times[1:])  # the first one warms what a running core has warm
        for name in OF_SENDS:
            times = []
            for _ in range(rounds + 1):
                number = account()
                page = page_of(store, number, until(chance, MONTH).to)
                if name == OF_SENDS[0]:
                    times.append(timed(partial(store.analysis.clicks, number, page)))
                else:
                    times.append(timed(partial(store.send_events, number, page[0])))
            of_way[name] = figures(times[1:])
        for name, figure in of_way.items():
            print(
                f"  {way:27} {name:26} p50 {figure['p50']:7.1f} ms   p95 {figure['p95']:7.1f} ms   "
                f"CPU p95 {figure['cpu_p95']:7.1f} ms",
                flush=True,
            )
    return found


def main() -> None:
    """Fill, ask, say and draw."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="up to a million events, and write no results")
    arguments.add_argument("--size", type=int, action="append", help="this many events only; repeatable")
    arguments.add_argument("--rounds", type=int, default=40)
    arguments.add_argument(
        "--keep", action="store_true", help="leave the store for another look, and use one that is there"
    )
    given = arguments.parse_args()

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    if not given.keep:
        shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True, exist_ok=True)
    store = EventStore.open("", PLACE.resolve())
    sizes: dict[str, dict[str, object]] = {}
    try:
        for size in given.size or (QUICK if given.quick else SIZES):
            if rows(store) > size:
                continue
            if rows(store) < 0.99 * size:
                fill(store, size - rows(store), print)
            on_disk = int(store._connection.writer.command("SELECT sum(bytes_on_disk) FROM system.parts WHERE active"))
            print(f"{rows(store):,} events, {on_disk / 1e9:.1f} GB on the disk")
            sizes[str(size)] = {"events": rows(store), "bytes_on_disk": on_disk, "ways": measure(store, given.rounds)}
    finally:
        store.close()
        if not given.keep:
            shutil.rmtree(PLACE, ignore_errors=True)
    *_, last = sizes.values()
    missed = [
        f"{name} ({way}): {figure['p95']} ms"
        for way, of_way in last["ways"].items()
        for name, figure in of_way.items()
        if figure["p95"] >= P5_MS and "365" not in way
    ]
    print(f"P5, p95 under {P5_MS} ms at {last['events']:,} events: " + ("; ".join(missed) or "met by every query"))
    if given.keep and (RESULTS / "analysis.json").exists():
        sizes = json.loads((RESULTS / "analysis.json").read_text())["sizes"] | sizes
    results = {
        "machine": machine(PLACE.parent),
        "gate_ms": P5_MS,
        "rounds": given.rounds,
        "sizes": dict(sorted(sizes.items(), key=lambda size: int(size[0]))),
    }
    if not given.quick:
        (RESULTS / "analysis.json").write_text(json.dumps(results, indent=1) + "\n")
        plot(results, RESULTS / "analysis.png")


if __name__ == "__main__":
    main()
