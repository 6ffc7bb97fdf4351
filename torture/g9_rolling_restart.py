"""Workers started again one by one, and the core meanwhile, under load: no failed redirect, nothing lost.

`waypost up` gets SIGUSR1 again and again, as at an upgrade; the core is stopped or killed in between. Some readers come
with a new connection for each click, and some keep theirs and ask once more when it was closed before an answer.
"""

import os
import signal
import time
from contextlib import ExitStack
from random import Random

from torture.gate import Progress, Result, Scale, failed
from torture.load import Readers
from torture.oracle import compare, counted, stored, unaccounted, wait_stored
from torture.processes import WORKER_COMMAND, Install, Started
from waypost.spool.counters import LOST

ROUNDS = {Scale.SHORT: 2, Scale.FULL: 30}
WORKERS = 2
PER_SECOND = 200.0
ROUND_SECONDS = 60.0
BETWEEN_SECONDS = 0.5
KEPT_FIRST = 1_000_000_000


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """Restart and restart, then count."""
    with Install(progress.directory / "install", workers=WORKERS, listeners=False) as install:
        up = install.up()
        up.wait_ready()
        with ExitStack() as clicking:
            fresh, kept = (
                clicking.enter_context(
                    Readers(
                        install.edge_port,
                        install.keyring,
                        readers=3,
                        first=first,
                        pipelined=1,
                        per_second=PER_SECOND,
                        fresh=not retries,
                        retries=retries,
                        rng=rng,
                    )
                )
                for first, retries in ((0, False), (KEPT_FIRST, True))
            )
            core_ends = 0
            for number in range(ROUNDS[scale]):
                progress.say(f"round {number + 1} of {ROUNDS[scale]}, {fresh.count + kept.count:,} clicks answered")
                core_ends += _end_core(up, rng)
                _roll(up)
                time.sleep(rng.uniform(0, BETWEEN_SECONDS))
        status = up.stop()
        core = install.core()
        core.wait_ready()
        wait_stored(install.spool)
        core.stop()
        fate = compare([*fresh.answered(), *kept.answered()], stored(install.data))
        counts = counted(install.spool)
        differences = unaccounted(install.spool)
    lost = sum(counts[count] for count in LOST)
    cut_off, wrong = fresh.cut_off + kept.cut_off, fresh.wrong + kept.wrong
    longest = max(fresh.seconds()[-1], kept.seconds()[-1])
    return Result(
        {
            "restarts of workers": ROUNDS[scale] * WORKERS,
            "ends of the core": core_ends,
            "answered clicks": fate.answered,
            "failed redirects": cut_off + len(wrong),
            "asked again on a new connection": kept.retried,
            "longest wait in ms": round(longest * 1e3),
            "lost": fate.missing,
            "stored twice": fate.repeated,
        },
        failed(
            (cut_off, f"{fresh.cut_off} clicks on new and {kept.cut_off} on kept connections were not answered"),
            (wrong, f"{len(wrong)} answers were no redirect, such as {wrong[:1]}"),
            (fate.missing or lost, f"{fate.missing} are missing, {lost} counted lost"),
            (fate.repeated, f"{fate.repeated} are stored twice"),
            (differences, f"the account does not add up: {differences}"),
            (status, f"waypost up ended with status {status}"),
        ),
    )


def _roll(up: Started) -> None:
    """Have the workers started again; return when all of them are new."""
    before = up.children(WORKER_COMMAND)
    os.kill(up.process.pid, signal.SIGUSR1)
    deadline = time.monotonic() + ROUND_SECONDS
    while before & (now := up.children(WORKER_COMMAND)) or len(now) < WORKERS:
        if time.monotonic() > deadline:
            raise AssertionError(f"the workers were not all started again: {before} became {now}")
        time.sleep(0.05)


def _end_core(up: Started, rng: Random) -> int:
    """Stop it, kill it, or leave it; how many were ended."""
    choice = rng.choice((signal.SIGTERM, signal.SIGKILL, None))
    cores = up.children("core") if choice else set()
    for core in cores:
        os.kill(core, choice)
    return len(cores)
