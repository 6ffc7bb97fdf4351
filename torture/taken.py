"""The end of a segment's life in a real core, with strace in its way: stored, entered in the ledger, taken away."""

import shutil
import time
from collections import Counter
from pathlib import Path

from tests.debian import require

from torture.gate import failed
from torture.life import CALL
from torture.load import click_once
from torture.oracle import compare, stored, unaccounted, wait_stored
from torture.processes import Install

KINDS = ("pwrite64", "fdatasync", "fsync", "rename", "renameat2", "unlink")
KEPT = {"kept": "600", "deleted": "0"}
"""What becomes of a stored segment, with spool.keep_seconds."""
ON_SEGMENTS = (("kept", "pwrite64", 1), ("kept", "fsync", 1), ("kept", "rename", 1), ("deleted", "unlink", 1))
"""Calls that an undisturbed core makes in a spool directory, or near it."""
CLICKS = range(1, 6)
TAKEN_SECONDS = 60.0


def prepare(folder: Path) -> Path:
    """A data directory of an installed core, with clicks in its spool."""
    shutil.rmtree(folder / "collecting", ignore_errors=True)
    with Install(folder / "collecting") as install:
        core = install.core()
        core.wait_ready()
        core.stop()
        worker = install.edge()
        worker.wait_ready()
        assert all(click_once(install.edge_port, install.keyring, number) for number in CLICKS)
        worker.stop()
        return install.data


def collect(prepared: Path, folder: Path, stage: str, inject: str) -> tuple[Install, bool]:
    """Run a core until it took the segments, or died; the install, and whether it died."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(prepared, folder / "data", symlinks=True)
    strace = require("strace", binary="strace")
    under = [
        *(str(strace), "-D", "-f", "-y", "-q", "-o", str(folder / "strace.log"), "-e", f"trace={','.join(KINDS)}"),
        *(("-e", f"inject={inject}") if inject else ()),
    ]
    install = Install(folder, {"WAYPOST_SPOOL__KEEP_SECONDS": KEPT[stage]}, listeners=False)
    core = install.core(under=under)
    deadline = time.monotonic() + TAKEN_SECONDS
    while core.process.poll() is None and list(install.spool.rglob("*.seg")) and time.monotonic() < deadline:
        time.sleep(0.02)
    return install, core.stop() != 0


def calls(prepared: Path, folder: Path) -> list[tuple[str, str, int]]:
    """Stage, kind and number of the calls of a core that nothing disturbs, most of one thread."""
    found = []
    for stage in KEPT:
        install, died = collect(prepared, folder, stage, "")
        with install:
            wrong = whole(install)
        if died or wrong:
            raise AssertionError(f"undisturbed, a core did not take its segments: {wrong}")
        most: Counter[str] = Counter()
        numbers: Counter[tuple[str, str]] = Counter()
        for line in (folder / "strace.log").read_text(errors="replace").splitlines():
            if match := CALL.match(line):
                thread, kind = match.groups()
                numbers[thread, kind] += 1
                most[kind] = max(most[kind], numbers[thread, kind])
        # The two differ in how a segment is taken away.
        kinds = KINDS if stage == "kept" else ("unlink",)
        found += [(stage, kind, number) for kind in kinds for number in range(1, most[kind] + 1)]
    return found


def whole(install: Install) -> list[str]:
    """Start a core without strace: what is wrong once everything is stored."""
    core = install.core()
    core.wait_ready()
    wait_stored(install.spool)
    core.stop()
    fate = compare(CLICKS, stored(install.data))
    differences = unaccounted(install.spool)
    return [
        *failed(
            (fate.missing, f"{fate.missing} clicks are lost"),
            (fate.repeated, f"{fate.repeated} clicks are stored twice"),
            (differences, f"the account does not add up: {differences}"),
        )
    ]
