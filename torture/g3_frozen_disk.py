"""The spool's file system frozen for a minute, as snapshots do: no redirect waits for it, losses are counted exactly.

The spool is on an ext4 of its own, which `fsfreeze` holds: every write to it waits, and so does every store into a page
that is mapped from it. Clicks go on; what the queue to the disk has no room for is lost, and counted one by one.
"""

import os
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from random import Random

from tests.debian import require

from torture.disk_trouble import RECOVERED_SECONDS, end_trouble, judge, lost_clicks, says_failing, seconds_until
from torture.gate import Progress, Result, Scale, failed
from torture.load import Readers, click_once
from torture.processes import Install
from waypost.spool.counters import Count, read_counters

PER_SECOND = 600.0
FROZEN_SECONDS = {Scale.SHORT: 3.0, Scale.FULL: 60.0}
HELD_SECONDS = {Scale.SHORT: 2.0, Scale.FULL: 1.0}
"""Longer than this no reader waits: the wait limit, and what a machine that runs other things besides takes."""
DISK_BYTES = 256 << 20
LAST = 10_000_000
LOOP_DEVICES = Path("/dev/loop-control")


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """Freeze, thaw, compare. A container may have no loop devices: there the short form has nothing to freeze."""
    if scale is Scale.SHORT and not LOOP_DEVICES.exists():
        return Result({"seconds the disk was frozen": 0})
    with ExitStack() as mounted:
        install = mounted.enter_context(Install(progress.directory / "install"))
        directory = install.worker_spool()
        _mount(progress.directory / "disk", directory, mounted)
        worker = install.edge()
        worker.wait_ready()
        install.agent().wait_ready()
        with Readers(
            install.edge_port, install.keyring, readers=12, pipelined=2, per_second=PER_SECOND, rng=rng
        ) as readers:
            seconds_until(lambda: read_counters(directory)[Count.KEPT] > 0, 20)
            with ExitStack() as frozen:
                _run("fsfreeze", "--freeze", directory)
                frozen.callback(_run, "fsfreeze", "--unfreeze", directory)
                said = _let_click(install, readers, FROZEN_SECONDS[scale], progress)
                answered_frozen, unsynced = readers.count, read_counters(directory)[Count.UNSYNCED]
                recovered, quiet = end_trouble(install, frozen.close, scale)
        kept_again = click_once(install.edge_port, install.keyring, LAST)
        status = worker.stop()
        fate, lost, wrong = judge(install, readers, also=[LAST], recovered=recovered, quiet=quiet)
        longest = readers.seconds()[-1]
        counts = read_counters(directory)
    return Result(
        {
            "seconds the disk was frozen": round(FROZEN_SECONDS[scale]),
            "clicks answered": fate.answered,
            "of them unsynced": counts[Count.UNSYNCED],
            "lost and counted": lost,
            "not redirected": readers.cut_off + len(readers.wrong),
            "longest wait (ms)": round(1000 * longest),
            "seconds to recovery": round(recovered, 2),
        },
        (
            *failed(
                (not unsynced or not answered_frozen, "the disk did not stand still"),
                (longest > HELD_SECONDS[scale], f"a reader waited {longest:.1f} s"),
                (said < 0, "clicks were lost, and /readyz did not say so"),
                (not kept_again, "there was no redirect afterwards"),
                (status, f"the worker ended with status {status}"),
            ),
            *wrong,
        ),
    )


def _let_click(install: Install, readers: Readers, seconds: float, progress: Progress) -> float:
    """So long. Returns how many seconds clicks were lost before /readyz said so; -1: it did not; 0: none was lost."""
    said = 0.0
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        progress.say(f"the disk is frozen for {left:.0f} s more: {readers.count:,} clicks answered")
        if not said and lost_clicks(install):
            said = seconds_until(lambda: says_failing(install), RECOVERED_SECONDS)
        time.sleep(min(left, 1.0))
    return said


def _mount(image: Path, directory: Path, mounted: ExitStack) -> None:
    """A file system of its own under the worker's directory."""
    if os.geteuid():
        raise AssertionError("a disk can be mounted by root only")
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    _run(require("e2fsprogs", "mkfs.ext4"), "-q", image)
    directory.mkdir(parents=True)
    _run("mount", "-o", "loop", image, directory)
    mounted.callback(_run, "umount", "--lazy", directory)


def _run(*command: object) -> None:
    subprocess.run(list(map(str, command)), check=True)
