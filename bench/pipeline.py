"""P4: events a second on one core, from sealed segment on the disk to rows that a query finds.

    [PYTHONPATH=build/compiled] python -m bench.pipeline [--events N] [--accounts N] [--default-gc] [--database FILE]...

Everything the collector does is in the time: reading and checking segments, the question what is stored, client, place
and first verdict, the insert with its syncs, the segment deleted; no account has a webhook. The process, engine threads
included, is pinned to one core, and CPU time is given beside the clock's. The same events are collected without and
with places in turn, so that what places cost is the ratio of one run. A round more, which does not count, tells the
parts apart. The databases are made here, unless real ones are named.

The events are those of a large mailing, 5,000 a second in segments of 5,000: visits of readers (an open, clicks some
seconds apart, or both) and of scanners (3 to 19 links in two seconds), each to a send of its own. User agents and
languages have a long tail. Readers have 50,000 addresses, a quarter of the visits comes from 1,000 of them; half of the
opens comes from image proxies. What is different in the events of one batch is printed.
"""

import argparse
import ipaddress
import os
import random
import resource
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from unittest.mock import patch

from mmdb_writer import MMDBWriter
from msgspec.structs import replace
from netaddr import IPSet

from waypost.events.client_parser import ClientParser
from waypost.events.hit import Hit, HitKind, Outcome
from waypost.events.ids import uuid7
from waypost.geoip.locator import Locator
from waypost.pipeline import collector
from waypost.pipeline.collector import Collector
from waypost.pipeline.counts import Count, Counts
from waypost.pipeline.enrich import Enricher, Step, client_step, location_step
from waypost.spool import framing
from waypost.spool.framing import SegmentHeader, encode_header, encode_record, encode_trailer, frame_seed
from waypost.spool.ledger import Ledger
from waypost.store import EventStore, event_store
from waypost.telemetry.garbage import spare_the_collector

P4_EVENTS_PER_SECOND = 50_000
# What an edge that answers 5,000 clicks a second seals every second.
SEGMENT_RECORDS = 5_000
# Of which so many go into the store together.
BATCH = collector._BATCH_RECORDS
HITS_PER_SECOND = 5_000
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
SYSTEMS = (
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "Linux; Android 10; K",
    "Linux; Android 14; SM-S918B",
)
# A few thousand distinct ones, as a day of readers has.
USER_AGENTS = [
    f"Mozilla/5.0 ({system}) {WEBKIT} Chrome/{major}.0.{build}.0 Safari/537.36"
    for system in SYSTEMS
    for major in range(90, 140)
    for build in range(10)
]
LANGUAGES = [f"{code},en;q=0.{weight}" for weight in (9, 8, 7) for code in ("en-GB", "en-US", "de-DE", "fr-FR", "ja")]
GOOGLE_PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE_PROXY = "Mozilla/5.0"
# First octets that are public throughout.
PUBLIC = [n for n in range(1, 224) if n not in {10, 100, 127, 169, 172, 192, 198, 203}]
NETWORKS = 40_000
# Of visits: a scanner's; a reader's of whom the open was seen, too; opens that an image proxy fetched.
SCANNED = 0.02
OPEN_SEEN = 0.6
BY_PROXY = 0.5
CITIES = 2_000
ORGANISATIONS = 500


def address(which: int) -> str:
    """A public one."""
    number = random.Random(which)
    return f"{number.choice(PUBLIC)}.{number.randrange(256)}.{number.randrange(256)}.{number.randrange(1, 255)}"


def often_first(rng: random.Random, values: Sequence[str]) -> str:
    """The n-th comes about an n-th as often as the first (Zipf), so a hundred are most of all, and the tail is long."""
    return values[int((len(values) + 1) ** rng.random()) - 1]


class Visit:
    """Somebody at a message: what all hits of hers have in common."""

    def __init__(self, rng: random.Random, accounts: int, at: datetime) -> None:
        unix_ms = int(at.timestamp() * 1000)
        self._rng = rng
        self._at = at
        self._common = {
            "edge": "edge-0",
            "outcome": Outcome.ANSWERED,
            "send_id": uuid7(unix_ms - rng.randrange(86_400_000), rng.randbytes(10)),
            "account": 1 + int(rng.paretovariate(1)) % accounts,
            "profile": rng.randrange(1, 5),
            "link_domain": "links.example.com",
        }
        # A quarter of the readers are behind addresses that they share: offices, phone networks.
        self._address = address(rng.randrange(1000 if rng.random() < 0.25 else 50_000))
        self._browser = {
            "user-agent": often_first(rng, USER_AGENTS),
            "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            "accept-language": often_first(rng, LANGUAGES),
            "sec-ch-ua-mobile": "?0",
            "sec-ch-ua-platform": '"Windows"',
            "sec-fetch-dest": "document",
            "sec-fetch-mode": "navigate",
            "sec-fetch-site": "none",
        }

    def hits(self) -> list[Hit]:
        """Of a reader (an open, some clicks, or both) or of a scanner (many links at once)."""
        if self._rng.random() < SCANNED:
            headers = {"user-agent": self._browser["user-agent"], "accept": "*/*"}
            first, links = self._rng.randrange(10), self._rng.randrange(3, 20)
            return [self._click(first + n, self._rng.random() * 2, headers) for n in range(links)]
        clicks = self._rng.choice((0, 1, 1, 1, 2, 3))
        later = [self._rng.expovariate(1 / 15) for _ in range(clicks)]
        found = [self._click(self._rng.randrange(30), each, self._browser) for each in later]
        return [*found, self._open()] if not clicks or self._rng.random() < OPEN_SEEN else found

    def _open(self) -> Hit:
        by = self._rng.random()
        if by < BY_PROXY:
            proxy, addresses = (GOOGLE_PROXY, 300) if by < BY_PROXY / 2 else (APPLE_PROXY, 20_000)
            self._address = address(100_000 + self._rng.randrange(addresses))
            return self._hit(0, kind=HitKind.OPEN, headers={"user-agent": proxy, "accept": "*/*"})
        return self._hit(0, kind=HitKind.OPEN, headers=self._browser)

    def _click(self, link: int, seconds: float, headers: dict[str, str]) -> Hit:
        page = self._rng.randrange(10_000) if self._rng.random() < 0.9 else self._rng.randrange(1 << 40)
        destination = f"https://shop.example.com/products/{page}?ref=letter"
        return self._hit(seconds, kind=HitKind.CLICK, headers=headers, link_index=link, destination=destination)

    def _hit(self, seconds: float, **fields: object) -> Hit:
        """As an edge writes it: about 600 bytes in the spool."""
        at = self._at + timedelta(seconds=seconds)
        event_id = uuid7(int(at.timestamp() * 1000), self._rng.randbytes(10))
        return Hit(event_id=event_id, occurred_at=at, client_address=self._address, **self._common, **fields)


def mailing(events: int, accounts: int, began: datetime) -> list[Hit]:
    """Its hits, in order of time."""
    rng = random.Random(4)
    hits: list[Hit] = []
    while len(hits) < events:
        hits += Visit(rng, accounts, began + timedelta(seconds=rng.random() * events / HITS_PER_SECOND)).hits()
    return sorted(hits[:events], key=attrgetter("occurred_at"))


def fill(spool: Path, hits: Sequence[Hit]) -> None:
    """Seal segments of `hits`."""
    rng = random.Random(6)
    spool.mkdir(parents=True)
    for first in range(0, len(hits), SEGMENT_RECORDS):
        some = hits[first : first + SEGMENT_RECORDS]
        at = some[0].occurred_at
        segment_id = f"edge-0.{uuid7(int(at.timestamp() * 1000), rng.randbytes(10))}"
        seed = frame_seed(segment_id)
        frames = b"".join(encode_record(hit, number, seed) for number, hit in enumerate(some))
        header = encode_header(SegmentHeader(segment_id=segment_id, edge="edge-0", created_at=at))
        (spool / f"{segment_id}.seg").write_bytes(header + frames + encode_trailer(len(some), seed))


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


class Parts:
    """CPU seconds of this thread by what it is doing; of nested parts, the inner one is."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._running = [""]
        self._since = time.thread_time()

    def timed(self, part: str, call: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **named: object) -> object:
            self._switch()
            self._running.append(part)
            try:
                return call(*args, **named)
            finally:
                self._switch()
                self._running.pop()

        return run

    def _switch(self) -> None:
        now = time.thread_time()
        self.seconds[self._running[-1]] += now - self._since
        self._since = now


def collect_in_parts(
    data: Path, store: EventStore, steps: Mapping[str, Step], hits: Sequence[Hit]
) -> Mapping[str, float]:
    """As `collect`; the CPU seconds of each part."""
    parts = Parts()
    steps = {name: replace(step, find=parts.timed(f"{name}: looked up", step.find)) for name, step in steps.items()}
    with ExitStack() as stack:
        for owner, name, part in (
            (Collector, "collect", "everything else"),
            (collector, "read_segment", "segments read and checked"),
            (EventStore, "stored_records", "asking what is stored"),
            (Enricher, "enrich", "client and location: handed out"),
            (collector, "first_verdicts", "verdict"),
            (event_store, "hit_table", "columns"),
            (EventStore, "insert_hits", "insert: this thread"),
            (Ledger, "settle", "segments deleted"),
        ):
            stack.enter_context(patch.object(owner, name, parts.timed(part, getattr(owner, name))))
        began = time.process_time() - time.thread_time()
        collect(data, store, steps, hits)
        parts.seconds["insert and merges: the engine's threads"] = time.process_time() - time.thread_time() - began
    del parts.seconds[""]
    return parts.seconds


def collect(data: Path, store: EventStore, steps: Mapping[str, Step], hits: Sequence[Hit]) -> tuple[float, float]:
    """Fill a spool and empty it; the seconds by the clock, and of the CPU."""
    fill(data / "spool" / "edge-0", hits)
    counts = Counts()
    collecting = Collector(data / "spool", store, Enricher(counts, **steps), counts, now=lambda: datetime.now(UTC))
    began, cpu_began = time.perf_counter(), time.process_time()
    collecting.collect()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    snapshot = counts.snapshot()
    assert (snapshot[Count.STORED], snapshot[Count.UNENRICHED]) == (len(hits), 0), snapshot
    stored = store._query("bench", "SELECT count(), uniqExact(segment, record) FROM events")
    assert stored == [(len(hits), len(hits))], stored
    shutil.rmtree(data / "spool")
    return seconds, cpu


def merged_rows(store: EventStore) -> int:
    """By all merges since the engine started; a row counts each time."""
    return store._query("bench", "SELECT sum(value) FROM system.events WHERE event = 'MergedRows'")[0][0]


def main() -> None:
    """Collect the same events with and without places, in turn, and print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--events", type=int, default=200_000)
    arguments.add_argument("--accounts", type=int, default=1000)
    arguments.add_argument("--rounds", type=int, default=5, help="the quickest counts: neighbours only slow down")
    arguments.add_argument("--database", type=Path, action="append", help="a real one, instead of those made here")
    arguments.add_argument("--default-gc", action="store_true", help="leave Python's cycle collector as it is")
    given = arguments.parse_args()

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    figures: dict[str, list[tuple[float, float]]] = {"without places": [], "with places": []}
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory)
        paths = given.database or databases(data)
        store = EventStore.open("", data)
        parser = ClientParser()
        hits = mailing(given.events, given.accounts, datetime.now(UTC))
        print(f"idle: {resident_mib()} MiB resident, store open")
        if not given.default_gc:
            spare_the_collector()
        for _ in range(given.rounds):
            for what, figure in figures.items():
                store._connection.writer.command("TRUNCATE TABLE events")
                steps = {"client": client_step(parser)}
                # A new one each time: what it remembers is part of what it costs.
                if what == "with places":
                    locator = Locator(paths)
                    locator.look()
                    steps["location"] = location_step(locator)
                figure.append(collect(data, store, steps, hits))
        store._connection.writer.command("TRUNCATE TABLE events")
        locator = Locator(paths)
        locator.look()
        steps = {"client": client_step(parser), "location": location_step(locator)}
        parts = collect_in_parts(data, store, steps, hits)
        merged = merged_rows(store) / (given.events * (2 * given.rounds + 1))
        on_disk = store._query("bench", "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'events'")
        places = store._query("bench", "SELECT uniq(city), countIf(country != '') FROM events")
        store.close()

    print("compiled modules" if Path(framing.__file__).suffix == ".so" else "Python")
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
    print(f"target (P4): {P4_EVENTS_PER_SECOND:,}")
    print("µs of CPU an event, with places:")
    for part, cpu in sorted(parts.items(), key=lambda each: -each[1]):
        print(f"{1e6 * cpu / given.events:8.2f}  {part}")
    print(f"an event was merged {merged:.2f} times meanwhile, all rounds together")
    some = hits[len(hits) // 2 :][:BATCH]
    print(f"different in {len(some)} events one after the other:")
    for what, values in (
        ("user agents", [hit.headers["user-agent"] for hit in some]),
        ("sets of headers", [tuple(hit.headers.items()) for hit in some]),
        ("addresses", [hit.client_address for hit in some]),
        ("destinations", [hit.destination for hit in some]),
        ("sends", [hit.send_id for hit in some]),
        ("accounts", [hit.account for hit in some]),
    ):
        print(f"{len(set(values)):8,}  {what}")
    print(f"on disk: {on_disk[0][0] / given.events:.0f} bytes an event")
    print(f"peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB resident")


if __name__ == "__main__":
    main()
