"""P4: events a second on one core, from sealed segments on the disk to rows that a query finds.

    python -m bench.pipeline [--events N] [--accounts N] [--default-gc] [--profile] [--database FILE]...

Everything the collector does is in the time: reading and checking segments, the question what is stored, client and
place looked up, the insert with its syncs, the segment deleted. The process, engine threads included, is pinned to one
core, and CPU time is given beside the clock's. The same events are collected without and with places in turn, so that
what places cost is the ratio of one run. Of the addresses a quarter are those of 1,000 readers who come often. The
databases are made here, unless real ones are named.
"""

import argparse
import cProfile
import ipaddress
import os
import pstats
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet

from waypost.events.client_parser import ClientParser
from waypost.events.hit import Hit, HitKind, Outcome
from waypost.events.ids import uuid7
from waypost.geoip.locator import Locator
from waypost.pipeline.collector import Collector
from waypost.pipeline.counts import Count, Counts
from waypost.pipeline.enrich import Enricher, Step, client_step, location_step
from waypost.spool.framing import SegmentHeader, encode_header, encode_record, encode_trailer, frame_seed
from waypost.store import EventStore
from waypost.telemetry.garbage import spare_the_collector

P4_EVENTS_PER_SECOND = 50_000
# What an edge that answers 5,000 clicks a second seals every second.
SEGMENT_RECORDS = 5_000
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
SYSTEMS = (
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "Linux; Android 10; K",
    "Linux; Android 14; SM-S918B",
)
# A few thousand distinct ones, as a day of readers has: the cache is at work, and not for free.
USER_AGENTS = [
    f"Mozilla/5.0 ({system}) {WEBKIT} Chrome/{major}.0.{build}.0 Safari/537.36"
    for system in SYSTEMS
    for major in range(90, 140)
    for build in range(10)
]
# First octets that are public throughout.
PUBLIC = [n for n in range(1, 224) if n not in {10, 100, 127, 169, 172, 192, 198, 203}]
NETWORKS = 40_000
CITIES = 2_000
ORGANISATIONS = 500


def random_address(rng: random.Random) -> str:
    """Of 50,000 public ones, a quarter of the time of a thousand."""
    number = random.Random(rng.randrange(1000 if rng.random() < 0.25 else 50_000))
    return f"{number.choice(PUBLIC)}.{number.randrange(256)}.{number.randrange(256)}.{number.randrange(1, 255)}"


def random_hit(rng: random.Random, accounts: int, at: datetime) -> Hit:
    """A click or an open as an edge writes it: about 600 bytes in the spool."""
    is_click = rng.random() < 0.7
    unix_ms = int(at.timestamp() * 1000)
    return Hit(
        event_id=uuid7(unix_ms, rng.randbytes(10)),
        occurred_at=at,
        edge="edge-0",
        kind=HitKind.CLICK if is_click else HitKind.OPEN,
        outcome=Outcome.ANSWERED,
        send_id=uuid7(unix_ms - rng.randrange(86_400_000), rng.randbytes(10)),
        account=1 + int(rng.paretovariate(1)) % accounts,
        profile=rng.randrange(1, 5),
        link_index=rng.randrange(30),
        destination=f"https://shop.example.com/products/{rng.randrange(10_000)}?ref=letter" if is_click else "",
        link_domain="links.example.com",
        client_address=random_address(rng),
        headers={
            "user-agent": rng.choice(USER_AGENTS),
            "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            "accept-language": "en-GB,en;q=0.9,de;q=0.8",
            "sec-ch-ua-mobile": "?0",
            "sec-ch-ua-platform": '"Windows"',
            "sec-fetch-dest": "document",
            "sec-fetch-mode": "navigate",
            "sec-fetch-site": "none",
        },
    )


def fill(spool: Path, events: int, accounts: int) -> int:
    """Seal segments of `events` hits; returns their bytes."""
    rng = random.Random(4)
    spool.mkdir(parents=True)
    at = datetime.now(UTC)
    size = 0
    for first in range(0, events, SEGMENT_RECORDS):
        segment_id = f"edge-0.{uuid7(int(at.timestamp() * 1000), rng.randbytes(10))}"
        seed = frame_seed(segment_id)
        count = min(SEGMENT_RECORDS, events - first)
        hits = (random_hit(rng, accounts, at + timedelta(microseconds=200 * n)) for n in range(count))
        frames = b"".join(encode_record(hit, number, seed) for number, hit in enumerate(hits))
        header = encode_header(SegmentHeader(segment_id=segment_id, edge="edge-0", created_at=at))
        data = header + frames + encode_trailer(count, seed)
        (spool / f"{segment_id}.seg").write_bytes(data)
        size += len(data)
        at += timedelta(seconds=1)
    return size


def databases(directory: Path) -> list[Path]:
    """One of cities and one of networks, each with 40,000 networks from /16 to /24."""
    rng = random.Random(5)
    cities = [
        {
            "country": {"iso_code": rng.choice(("US", "GB", "DE", "FR", "JP"))},
            "subdivisions": [{"names": {"en": f"Region {n % 100}"}}],
            "city": {"names": {"en": f"City {n}"}},
            "location": {
                "latitude": rng.uniform(-60, 70),
                "longitude": rng.uniform(-180, 180),
                "time_zone": f"Europe/Zone_{n % 40}",
            },
        }
        for n in range(CITIES)
    ]
    networks = [
        {"autonomous_system_number": n, "autonomous_system_organization": f"Network {n}"}
        for n in range(1, ORGANISATIONS)
    ]
    paths = []
    for name, records in (("city", cities), ("asn", networks)):
        writer = MMDBWriter(6, f"bench-{name}", languages=["en"], description="made up", ipv4_compatible=True)
        for first in PUBLIC:
            writer.insert_network(IPSet([f"{first}.0.0.0/8"]), rng.choice(records))
        for _ in range(NETWORKS):
            address = f"{rng.choice(PUBLIC)}.{rng.randrange(256)}.{rng.randrange(256)}.0"
            network = ipaddress.ip_network(f"{address}/{rng.randrange(16, 25)}", strict=False)
            writer.insert_network(IPSet([str(network)]), rng.choice(records))
        paths.append(directory / f"{name}.mmdb")
        writer.to_db_file(str(paths[-1]))
    return paths


def resident_mib() -> int:
    """Of this process, now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def collect(data: Path, store: EventStore, steps: Sequence[Step], given: argparse.Namespace) -> tuple[float, float]:
    """Fill a spool and empty it; the seconds by the clock, and of the CPU."""
    fill(data / "spool" / "edge-0", given.events, given.accounts)
    counts = Counts()
    collector = Collector(data / "spool", store, Enricher(steps, counts), counts, now=lambda: datetime.now(UTC))
    began, cpu_began = time.perf_counter(), time.process_time()
    collector.collect()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    snapshot = counts.snapshot()
    assert (snapshot[Count.STORED], snapshot[Count.UNENRICHED]) == (given.events, 0), snapshot
    stored = store._query("bench", "SELECT count(), uniqExact(segment, record) FROM events")
    assert stored == [(given.events, given.events)], stored
    shutil.rmtree(data / "spool")
    return seconds, cpu


def main() -> None:
    """Collect the same events with and without places, in turn, and print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--events", type=int, default=200_000)
    arguments.add_argument("--accounts", type=int, default=1000)
    arguments.add_argument("--rounds", type=int, default=5, help="the quickest counts: neighbours only slow down")
    arguments.add_argument("--database", type=Path, action="append", help="a real one, instead of those made here")
    arguments.add_argument("--default-gc", action="store_true", help="leave Python's cycle collector as it is")
    arguments.add_argument("--profile", action="store_true", help="where the time goes with places, by cProfile")
    given = arguments.parse_args()

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    profile = cProfile.Profile()
    figures: dict[str, list[tuple[float, float]]] = {"without places": [], "with places": []}
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory)
        paths = given.database or databases(data)
        store = EventStore.open("", data)
        parser = ClientParser()
        print(f"idle: {resident_mib()} MiB resident, store open")
        if not given.default_gc:
            spare_the_collector()
        for _ in range(given.rounds):
            for what, figure in figures.items():
                store._connection.writer.command("TRUNCATE TABLE events")
                steps = [client_step(parser)]
                # A new one each time: what it remembers is part of what it costs.
                if what == "with places":
                    locator = Locator(paths)
                    locator.look()
                    steps.append(location_step(locator))
                    if given.profile:
                        profile.enable()
                figure.append(collect(data, store, steps, given))
                profile.disable()
        on_disk = store._query("bench", "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'events'")
        places = store._query("bench", "SELECT uniq(city), countIf(country != '') FROM events")
        store.close()

    print(
        f"{given.events} events, {given.accounts} accounts, {places[0][0]} cities, {places[0][1]} events with a country"
    )
    for what, figure in figures.items():
        seconds, cpu = (min(each) for each in zip(*figure, strict=True))
        print(
            f"{what}: {given.events / seconds:,.0f} events/s on one core, {given.events / cpu:,.0f} per second of CPU "
            f"({1e6 * cpu / given.events:.1f} µs each); quickest of {given.rounds}"
        )
    without, with_places = (min(cpu for _, cpu in figure) for figure in figures.values())
    print(f"places cost {100 * (with_places / without - 1):.0f} % of the CPU time without them")
    print(f"target (P4, the verdict still to come): {P4_EVENTS_PER_SECOND:,}")
    print(f"on disk: {on_disk[0][0] / given.events:.0f} bytes an event")
    print(f"peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB resident")
    if given.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    main()
