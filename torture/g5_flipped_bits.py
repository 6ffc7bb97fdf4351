"""One flipped bit in each of 10,000 segments is always noticed, and costs no more than the record it is in.

The real writer makes the segments, of any number of clicks with anything in them. A bit of each is flipped, and the
real reader has to find it. Some of them go on into the event store, through a real core.
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.unit.spool.conftest import AT, Clock, FailingFiles

from torture.gate import Progress, Result, Scale, failed
from torture.load import LINK_DOMAIN, destination, number_of, send_id
from torture.oracle import stored, unaccounted, wait_stored
from torture.processes import Install
from waypost.edge.decide import KEPT_HEADERS
from waypost.events.hit import Hit, HitKind, Outcome
from waypost.events.ids import uuid7
from waypost.links.token import MAX_NUMBER, Privacy
from waypost.spool import UnreadableSegmentError, read_segment, sealed_segments
from waypost.spool.counters import Count, Counters
from waypost.spool.framing import FRAME_BYTES, scan
from waypost.spool.ledger import Entries, read_ledger
from waypost.spool.segments import QUARANTINE_SUFFIX, SegmentWriter

SEGMENTS = {Scale.SHORT: 500, Scale.FULL: 10_000}
STORED = {Scale.SHORT: 15, Scale.FULL: 1_000}
"""More of them, for a real core."""
RECORDS_MAX = 12
AT_ONCE = 500
"""In one directory."""
TEXT = "".join(map(chr, (*range(32, 127), 0, 10, 0xE9, 0x20AC, 0x1F600)))


class Part(StrEnum):
    """Of a segment."""

    HEADER = "header"
    RECORD = "record"
    TRAILER = "trailer"


class Flip(NamedTuple):
    """A bit that was flipped."""

    part: Part
    byte: int
    record: int | None
    """Its number, for a bit in a record."""


@dataclass(frozen=True)
class Written:
    """A sealed segment, and what is in it."""

    path: Path
    hits: Sequence[Hit]


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """Read them, then store some."""
    flips, unnoticed, cost_more = _read(SEGMENTS[scale], progress, rng)
    progress.say("some are stored")
    figures, failures = _store(STORED[scale], progress.directory / "install", rng)
    return Result(
        {
            "segments": flips.total(),
            **{f"flipped in a {part}": flips[part] for part in Part},
            "not noticed": len(unnoticed),
            "with other records damaged": len(cost_more),
            **figures,
        },
        (
            *failed(
                (unnoticed, f"{len(unnoticed)} were not noticed, such as {unnoticed[:1]}"),
                (cost_more, f"{len(cost_more)} cost other records, such as {cost_more[:1]}"),
            ),
            *failures,
        ),
    )


def make_hit(number: int, rng: Random) -> Hit:
    """A hit with anything in it that an edge can write, known by the number of its send id."""
    kind = rng.choice(list(HitKind))
    headers = rng.sample(sorted(KEPT_HEADERS), rng.randrange(6))
    return Hit(
        event_id=uuid7(int(AT.timestamp() * 1000), rng.randbytes(10)),
        occurred_at=AT,
        edge="edge-0",
        kind=kind,
        outcome=rng.choice(list(Outcome)),
        method=rng.choice(["GET", "HEAD"]),
        send_id=send_id(number),
        privacy=rng.choice([Privacy.IDENTIFIED, Privacy.PSEUDONYMOUS]),
        account=rng.choice([1, 300, MAX_NUMBER]),
        profile=rng.choice([1, 300, MAX_NUMBER]),
        link_index=rng.randrange(1_000) if kind is HitKind.CLICK else 0,
        destination=destination(number) + "/" * rng.randrange(600) if kind is HitKind.CLICK else "",
        link_domain=LINK_DOMAIN,
        client_address=rng.choice(["", "192.0.2.1", "2001:db8::1"]),
        headers={name: "".join(rng.choices(TEXT, k=rng.randrange(KEPT_HEADERS[name] // 4))) for name in headers},
    )


def write(directory: Path, counters: Counters, first: int, segments: int, rng: Random) -> list[Written]:
    """Sealed segments, by the real writer; their hits are numbered from `first` on."""
    clock = Clock()
    writer = SegmentWriter(
        directory,
        "edge-0",
        counters,
        sync=True,
        segment_bytes=1,  # every batch fills one
        segment_seconds=1.0,
        files=FailingFiles(),
        monotonic=clock,
        now=clock.now,
        randomness=rng.randbytes,
    )
    batches = []
    for _ in range(segments):
        hits = [make_hit(first + number, rng) for number in range(rng.randint(1, RECORDS_MAX))]
        first += len(hits)
        if writer.write(hits) or writer.sync() is not Count.KEPT:
            raise AssertionError("a segment was not written")
        counters.add(Count.ANSWERED, len(hits))
        batches.append(hits)
    writer.close()
    return [Written(path, hits) for path, hits in zip(sealed_segments(directory), batches, strict=True)]


def flip(written: Written, part: Part | None, rng: Random) -> Flip:
    """Flip a bit of a segment: of one of its parts, or any."""
    data = bytearray(written.path.read_bytes())
    found = scan(bytes(data), written.path.stem)
    if found.damaged or len(found.frames) != len(written.hits):
        raise AssertionError(f"{written.path} was damaged before")
    starts = [offset - FRAME_BYTES for _, offset, _ in found.frames]
    spans = {Part.HEADER: (0, starts[0]), Part.RECORD: (starts[0], found.end), Part.TRAILER: (found.end, len(data))}
    byte = rng.randrange(*(spans[part] if part else (0, len(data))))
    data[byte] ^= 1 << rng.randrange(8)
    written.path.write_bytes(data)
    [hit_part] = [each for each, (start, end) in spans.items() if start <= byte < end]
    record = sum(start <= byte for start in starts) - 1 if hit_part is Part.RECORD else None
    return Flip(hit_part, byte, record)


def _read(segments: int, progress: Progress, rng: Random) -> tuple[Counter[Part], list[str], list[str]]:
    """How many bits were flipped in which part, and in which segments they were not noticed, or cost too much."""
    flips: Counter[Part] = Counter()
    unnoticed: list[str] = []
    cost_more: list[str] = []
    for done in range(0, segments, AT_ONCE):
        progress.say(f"{done:,} of {segments:,} segments")
        with TemporaryDirectory(dir=progress.directory) as folder:
            for written in write(Path(folder), Counters.in_memory(), 0, min(AT_ONCE, segments - done), rng):
                flipped = flip(written, None, rng)
                flips[flipped.part] += 1
                name = f"{len(written.hits)} records, {flipped}"
                try:
                    segment = read_segment(written.path)
                except UnreadableSegmentError as error:
                    cost_more.append(f"{name}: {error.reason}")
                    continue
                if not any(each.offset <= flipped.byte < each.offset + each.length for each in segment.damaged):
                    unnoticed.append(name)
                if segment.records != [each for each in enumerate(written.hits) if each[0] != flipped.record]:
                    cost_more.append(name)
    return flips, unnoticed, cost_more


def _store(segments: int, folder: Path, rng: Random) -> tuple[dict[str, int], tuple[str, ...]]:
    """Damaged segments in the spool of an edge, and a core that stores them."""
    shutil.rmtree(folder, ignore_errors=True)
    with Install(folder, listeners=False) as install:
        directory = install.worker_spool()
        files = FailingFiles()
        files.make_directory(directory)
        written = write(directory, Counters.open(directory, files), 0, segments, rng)
        # One of each first: most bits are in records.
        parts = [*Part, *[None] * segments][:segments]
        flips = [flip(each, part, rng) for each, part in zip(written, parts, strict=True)]
        core = install.core()
        core.wait_ready()
        wait_stored(install.spool)
        core.stop()
        found = stored(install.data)
        entries = read_ledger(directory)
        aside = len(list(directory.glob(f"*{QUARANTINE_SUFFIX}")))
        differences = unaccounted(install.spool)
    good = [
        hit
        for each, flipped in zip(written, flips, strict=True)
        for number, hit in enumerate(each.hits)
        if number != flipped.record
    ]
    damaged = sum(flipped.part is Part.RECORD for flipped in flips)
    clicks = Counter(number_of(hit.send_id) for hit in good if hit.kind is HitKind.CLICK)
    return (
        {
            "segments through a core": segments,
            "set aside": aside,
            "their good records, stored": entries.stored,
            "their damaged records, quarantined": entries.quarantined,
        },
        failed(
            (found != clicks, f"of {clicks.total()} good clicks {found.total()} are in the store"),
            (aside != segments, f"{aside} of {segments} damaged segments were set aside"),
            (entries != Entries(len(good), damaged), f"the ledger says {entries} of {len(good)} and {damaged}"),
            (differences, f"the account does not add up: {differences}"),
        ),
    )
