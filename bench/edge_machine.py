"""The machine that is measured on: its cores, who runs on which, and what the results say of it."""

import os
import platform
import re
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from bench.edge_figures import quantile

from waypost import __version__

SYNCS = 200
SYNC_BYTES = 4096

CORES = tuple(sorted(os.sched_getaffinity(0)))
SERVER_CORE = frozenset(CORES[:1])
"""What is measured runs on one core, whatever it is."""
LOAD_CORE = frozenset(CORES[-1:])
"""Who asks runs on another one."""
TWO_SERVER_CORES = frozenset(CORES[:2])
LOAD_BESIDE_TWO = frozenset(CORES[2:3] or CORES)
"""Where there are two cores only, the load takes its share of both."""


def pinned(cores: Iterable[int]) -> list[str]:
    """What to put before a command so that it stays on these cores."""
    return ["taskset", "--cpu-list", ",".join(map(str, sorted(cores)))]


def machine(folder: Path) -> dict[str, object]:
    """Where the figures come from; `folder` is where the clicks are written."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    syncs = sync_milliseconds(folder)
    return {
        "CPU": model[1] if model else platform.processor(),
        "cores": len(CORES),
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "Waypost": __version__,
        "load average before": os.getloadavg()[0],
        "file system": _file_system(folder),
        "fdatasync of 4 KB, ms": {"median": round(quantile(syncs, 0.5), 3), "p99": round(quantile(syncs, 0.99), 3)},
        "Debian packages": _packages("nginx-light", "wrk", "nghttp2-client", "caddy"),
    }


def sync_milliseconds(folder: Path) -> list[float]:
    """How long it takes to append 4 KB and sync them, a few hundred times: group commit waits for that."""
    path = folder / "sync"
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.write(bytes(SYNC_BYTES))
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - began) * 1000)
    path.unlink()
    return taken


def _file_system(folder: Path) -> str:
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    around = [(point, kind) for point, kind in mounts if folder.resolve().is_relative_to(point)]
    return max(around, key=lambda mount: len(mount[0]))[1]


def _packages(*names: str) -> dict[str, str]:
    """Versions of those that are installed from Debian."""
    shown = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n", *names],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return dict(line.split(" ") for line in shown.splitlines())
