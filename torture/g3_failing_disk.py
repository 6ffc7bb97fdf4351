"""Each call of the spool failed with EIO and ENOSPC, a disk full for minutes: every redirect answered, losses exact.

Each call of an undisturbed life is failed once, and eight times in a row, by `strace --inject`. The full disk is a
small tmpfs that readers fill with clicks. Exact means: answered clicks that cannot be read back are as many as are
counted lost, one by one. Recovered means: a click is kept again.
"""

import os
import shutil
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random

from torture import life
from torture.disk_trouble import SAID_SECONDS, end_trouble, judge, lost_clicks, says_failing, seconds_until
from torture.gate import Progress, Result, Scale, failed
from torture.load import Readers, click_once
from torture.processes import Install

SHORT_POINTS = 2
BURST = 7
"""More failures after the first one."""
KINDS = ("mkdir", "pwrite64", "write", "fdatasync", "fsync", "rename", "unlink", "ftruncate")
FULL_SECONDS = {Scale.SHORT: 2.0, Scale.FULL: 120.0}
DISK_BYTES = 4 << 20
PER_SECOND = 300.0


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """Errors at each call, then a full disk."""
    injected, wrong, lost = _inject(scale, progress, rng)
    figures, failures = _full_disk(scale, progress, rng)
    return Result(
        {"injected errors": injected, "clicks lost to them, all counted": lost, **figures}, (*wrong, *failures)
    )


def _inject(scale: Scale, progress: Progress, rng: Random) -> tuple[int, list[str], int]:
    prepared = life.prepare(progress.directory / "prepared")
    points = []
    for stage in life.STAGES:
        for call in life.undisturbed(prepared[stage], stage, progress.directory):
            if call.kind in KINDS:
                for error in ("EIO", "ENOSPC"):
                    points.append((stage, call.kind, error, f"{call.number}"))
                    points.append((stage, call.kind, error, f"{call.number}..{call.number + BURST}"))
    points = sorted(set(points))
    if scale is Scale.SHORT:
        points = rng.sample(points, SHORT_POINTS)
    state = progress.load()
    wrong: list[str] = []
    lost = 0
    for number, (stage, kind, error, when) in enumerate(points):
        name = f"{stage}, {kind} {when} {error}"
        progress.say(f"{number + 1} of {len(points)}: {name}")
        if name not in state:
            state[name] = _fail(prepared[stage], stage, f"{kind}:error={error}:when={when}", progress.directory)
            progress.save(state)
        wrong += [f"{name}: {sentence}" for sentence in state[name]["wrong"]]
        lost += state[name]["lost"]
    return len(points), wrong, lost


def _fail(prepared: Path, stage: str, inject: str, folder: Path) -> dict:
    with life.copy(prepared, folder / "life") as install:
        outcome = life.live(install, stage, inject, folder / "strace.log", until_kept=True)
        lost = lost_clicks(install)
        wrong = [
            *failed(
                (outcome.ended, "the worker was killed"),
                (not outcome.in_time, "no click was kept again within 5 s"),
                (outcome.answered != outcome.asked, f"answered {outcome.answered} of {outcome.asked}"),
            ),
            *life.recovered(install, outcome, stage, exact=True),
        ]
    if wrong:
        shutil.copytree(folder / "life", folder / f"{stage}-{inject}".replace(":", "-"), dirs_exist_ok=True)
    return {"wrong": wrong, "lost": lost}


def _full_disk(scale: Scale, progress: Progress, rng: Random) -> tuple[dict[str, int | float], tuple[str, ...]]:
    """Clicks fill a small disk; it stays full; then there is room again."""
    disk = progress.directory / "disk"
    with ExitStack() as mounted:
        if os.geteuid() == 0:
            disk.mkdir(exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", disk], check=True)
            mounted.callback(subprocess.run, ["umount", "--lazy", disk], check=True)
        else:
            raise AssertionError("a small disk can be mounted by root only")
        with Install(disk / "install") as install:
            worker = install.edge()
            worker.wait_ready()
            agent = install.agent()
            agent.wait_ready()
            filler = disk / "filler"
            with Readers(
                install.edge_port, install.keyring, readers=3, pipelined=2, per_second=PER_SECOND, rng=rng
            ) as readers:
                _fill(filler)
                lost_since = seconds_until(lambda: lost_clicks(install) > 0, 20)
                said = seconds_until(lambda: says_failing(install), SAID_SECONDS[scale])
                deadline = time.monotonic() + FULL_SECONDS[scale]
                while (left := deadline - time.monotonic()) > 0:
                    progress.say(f"the disk is full for {left:.0f} s more: {lost_clicks(install):,} clicks lost")
                    # What cleaners and rotations leave for a moment is taken at once.
                    _fill(filler)
                    time.sleep(min(left, 1.0))
                recovered, quiet = end_trouble(install, filler.unlink, scale)
                time.sleep(1.0)
            kept_again = click_once(install.edge_port, install.keyring, 10_000_000)
            worker.stop()
            fate, lost, wrong = judge(install, readers, also=[10_000_000], recovered=recovered, quiet=quiet)
            return (
                {
                    "seconds the disk was full": round(FULL_SECONDS[scale]),
                    "clicks answered meanwhile and before": fate.answered,
                    "lost and counted": lost,
                    "not redirected": readers.cut_off + len(readers.wrong),
                    "seconds until /readyz said so": round(said, 2),
                    "seconds to recovery": round(recovered, 2),
                },
                (
                    *failed(
                        (lost_since < 0, "the disk did not get full"),
                        (said < 0, "/readyz did not say that clicks are lost"),
                        (not kept_again, "there was no redirect afterwards"),
                    ),
                    *wrong,
                ),
            )


def _fill(filler: Path) -> None:
    """Take all the room there is."""
    with suppress(OSError), filler.open("ab", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
