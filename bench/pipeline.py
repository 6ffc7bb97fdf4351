"""P4: events a second on one core, from sealed segments on the disk to rows that a query finds.

    python -m bench.pipeline [--events N] [--accounts N] [--default-gc] [--profile]

Everything the collector does is in the time: reading and checking segments, the question what is stored, the client
parsed, the insert with its syncs, the segment deleted. The process, engine threads included, is pinned to one core, and
CPU time is given beside the clock's.
"""

import argparse
import cProfile
import os
import pstats
import random
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from waypost.events.client_parser import ClientParser
from waypost.events.hit import Hit, HitKind, Outcome
from waypost.events.ids import uuid7
from waypost.pipeline.collector import Collector
from waypost.pipeline.counts import Count, Counts
from waypost.pipeline.enrich import Enricher, client_step
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
        client_address=f"203.0.{rng.randrange(256)}.{rng.randrange(256)}",
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


def resident_mib() -> int:
    """Of this process, now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def main() -> None:
    """Fill a spool, empty it, print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--events", type=int, default=200_000)
    arguments.add_argument("--accounts", type=int, default=1000)
    arguments.add_argument("--default-gc", action="store_true", help="leave Python's cycle collector as it is")
    arguments.add_argument("--profile", action="store_true", help="where the time goes, by cProfile")
    given = arguments.parse_args()

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory)
        size = fill(data / "spool" / "edge-0", given.events, given.accounts)
        store = EventStore.open("", data)
        counts = Counts()
        enricher = Enricher([client_step(ClientParser())], counts)
        collector = Collector(data / "spool", store, enricher, counts, now=lambda: datetime.now(UTC))
        print(f"idle: {resident_mib()} MiB resident, store open")

        if not given.default_gc:
            spare_the_collector()
        profile = cProfile.Profile()
        if given.profile:
            profile.enable()
        began, cpu_began = time.perf_counter(), time.process_time()
        collector.collect()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        profile.disable()

        stored = store._query("bench", "SELECT count(), uniqExact(segment, record) FROM events")
        on_disk = store._query("bench", "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'events'")
        assert [tuple(row) for row in stored] == [(given.events, given.events)], stored
        assert counts.snapshot()[Count.STORED] == given.events
        store.close()

    print(f"{given.events} events of {size // given.events} bytes each, {given.accounts} accounts")
    print(f"{given.events / seconds:,.0f} events/s on one core ({1e6 * seconds / given.events:.1f} µs each)")
    print(f"{given.events / cpu:,.0f} events per second of CPU ({1e6 * cpu / given.events:.1f} µs each)")
    print(f"target (P4, location and verdict still to come): {P4_EVENTS_PER_SECOND:,}")
    print(f"on disk: {on_disk[0][0] / given.events:.0f} bytes an event")
    print(f"peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB resident")
    if given.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
