"""What became of the clicks that were answered: each must be stored, or spooled, exactly once."""

import subprocess
import sys
import time
from array import array
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path

from torture.load import number_of
from waypost.spool import read_segment
from waypost.spool.conservation import account, worker_directories
from waypost.spool.counters import Count, read_counters

_COLUMNS = 5
"""Of `torture.stored`."""


@dataclass(frozen=True)
class Fate:
    """Clicks, compared one by one.

    Attributes:
        found: distinct clicks that were found.
        missing: answered and not found.
        repeated: found more than once.
    """

    answered: int
    found: int
    missing: int
    repeated: int


def compare(answered: Iterable[Hashable], found: Counter[Hashable]) -> Fate:
    """Answered clicks, or whatever else happened, with what was found of them."""
    known = set(answered)
    return Fate(
        answered=len(known),
        found=len(found),
        missing=len(known - found.keys()),
        repeated=sum(times > 1 for times in found.values()),
    )


def spooled(spool: Path, suffixes: tuple[str, ...] = (".seg",)) -> tuple[Counter[int], list[str]]:
    """Clicks in the sealed segments below a directory, and what is damaged in them."""
    found: Counter[int] = Counter()
    damaged = []
    for path in sorted(path for suffix in suffixes for path in spool.rglob(f"*{suffix}")):
        segment = read_segment(path)
        found.update(number_of(hit.send_id) for _, hit in segment.records)
        if segment.damaged or segment.missing:
            damaged.append(f"{path.name}: {segment.damaged[:2]}, {segment.missing} missing")
    return found, damaged


def stored(data: Path) -> Counter[int]:
    """Clicks in the embedded event store of a data directory that nobody has open."""
    return Counter({number: times for number, times, *_ in _stored(data)})


def occurred(data: Path) -> dict[int, float]:
    """When the clicks in the event store occurred, in seconds since 1970."""
    return {number: at / 1000 for number, _, at, *_ in _stored(data)}


@dataclass(frozen=True)
class Known:
    """Clicks that were stored, and what is known of them by now."""

    times: Counter[int]
    unsettled: set[int]
    """Without their final verdict."""
    nowhere: set[int]
    """Without a place."""


def known(data: Path) -> Known:
    """The same of a store whose events were judged and enriched."""
    rows = _stored(data)
    return Known(
        Counter({number: times for number, times, *_ in rows}),
        {number for number, times, _, settled, _ in rows if settled < times},
        {number for number, times, *_, placed in rows if placed < times},
    )


def _stored(data: Path) -> list[tuple[int, ...]]:
    # In a process of its own: an engine can be loaded once.
    done = subprocess.run(
        [sys.executable, "-m", "torture.stored", str(data)],
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    if done.returncode:
        raise AssertionError(done.stderr.decode()[-2000:])
    numbers = array("Q")
    numbers.frombytes(done.stdout)
    return list(zip(*(numbers[column::_COLUMNS] for column in range(_COLUMNS)), strict=True))


def counted(spool: Path) -> Counter[Count]:
    """The counts of every worker together."""
    total: Counter[Count] = Counter()
    for directory in worker_directories(spool):
        total.update(read_counters(directory))
    return total


def unaccounted(spool: Path) -> dict[str, int]:
    """By worker: what conservation leaves open. Empty when it all adds up; only at rest."""
    found = {directory.name: account(directory).difference for directory in worker_directories(spool)}
    return {name: difference for name, difference in found.items() if difference}


def wait_stored(spool: Path, seconds: float = 300.0) -> float:
    """Until the collector has taken every sealed segment; how long it took.

    Raises:
        AssertionError: it did not.
    """
    began = time.monotonic()
    while any(path for directory in worker_directories(spool) for path in directory.glob("*.seg")):
        if time.monotonic() - began > seconds:
            raise AssertionError(f"segments are still spooled after {seconds:g} s")
        time.sleep(0.05)
    return time.monotonic() - began
