"""What a server uses, all its processes together, from /proc: CPU time to the nanosecond, and memory."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_KIB = 1024
_MB = 1_000_000


def family(pid: int) -> Iterator[int]:
    """The process and all it started, and they started."""
    yield pid
    for children in _PROC.glob(f"{pid}/task/*/children"):
        for child in children.read_text().split():
            yield from family(int(child))


def cpu_seconds(pid: int) -> float:
    """User and system time of the family so far.

    From the scheduler's own account of each thread: /proc/PID/stat knows ticks of 10 ms only, and guesses which thread
    they belong to.
    """
    nanoseconds = 0
    for member in family(pid):
        for thread in _PROC.glob(f"{member}/task/*/schedstat"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
                nanoseconds += int(thread.read_text().split()[0])
    return nanoseconds / 1e9


def peak_resident_mb(pid: int) -> float:
    """The most memory that the process alone has had at once, shared libraries included."""
    return _kilobytes(pid, "status", "VmHWM") * _KIB / _MB


def proportional_mb(pid: int) -> float:
    """Memory of the family: what several processes share is counted once, in equal parts."""
    return sum(_kilobytes(member, "smaps_rollup", "Pss") for member in family(pid)) * _KIB / _MB


def _kilobytes(pid: int, file: str, field: str) -> int:
    return int(re.search(rf"^{field}:\s+(\d+) kB", (_PROC / str(pid) / file).read_text(), re.MULTILINE)[1])
