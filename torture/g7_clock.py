"""The clock back an hour, on a year, and past 2038, on a live edge: nothing lost, tokens open, times as the clock said.

libfaketime stands between the worker and the clock and is told new times while it runs. The monotonic clock is left
alone, as the kernel leaves it when somebody sets the time.
"""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.debian import require

from torture.gate import Progress, Result, Scale, failed
from torture.load import Readers, click_once
from torture.oracle import compare, counted, occurred, stored, unaccounted, wait_stored
from torture.processes import Install
from waypost.spool.counters import LOST

HOUR, YEAR = 3_600, 365 * 86_400
CLOCKS = {"right": 0, "an hour back": -HOUR, "a year on": YEAR, "past 2038": 14 * YEAR, "right again": 0}
LONG_ONLY = ("right", "a year on")
SECONDS = {Scale.SHORT: 0.8, Scale.FULL: 15.0}
PER_SECOND = 300.0
NOTICED_SECONDS = 2.5
"""libfaketime looks at its file when the second after the next begins."""
APART_SECONDS = 5.0
"""An event's time may be so far from the clock's: it was noted in between, on a busy machine."""
OLD_TOKEN, LAST_CLICK = 90_000_000, 90_000_001


@dataclass
class Phase:
    """Clicks under one clock."""

    offset: int
    answered: list[int] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """One phase for each clock, one worker and one core through all of them."""
    clock = progress.directory / "clock"
    _set(clock, 0)
    settings = _faketime(clock)
    phases: dict[str, Phase] = {}
    clocks = {name: CLOCKS[name] for name in CLOCKS if scale is Scale.FULL or name not in LONG_ONLY}
    with Install(progress.directory / "install") as install:
        worker = install.edge(settings=settings)
        worker.wait_ready()
        core = install.core()
        wrong: list[str] = []
        for number, (name, offset) in enumerate(clocks.items()):
            progress.say(f"the clock is {name}")
            _set(clock, offset)
            time.sleep(NOTICED_SECONDS)
            phase = phases[name] = Phase(offset, began=time.time())
            with Readers(
                install.edge_port,
                install.keyring,
                readers=3,
                first=number * 1_000_000,
                pipelined=4,
                per_second=PER_SECOND,
                rng=rng,
            ) as readers:
                readers.pause(SECONDS[scale])
            phase.ended = time.time()
            phase.answered = list(readers.answered())
            wrong += readers.wrong + ["cut off"] * readers.cut_off
            if not click_once(install.edge_port, install.keyring, OLD_TOKEN + number):
                wrong.append(f"a token did not open when the clock was {name}")
            phase.answered.append(OLD_TOKEN + number)
        core.wait_ready()
        status = worker.stop()
        wait_stored(install.spool)
        core.stop()
        fate = compare((number for phase in phases.values() for number in phase.answered), stored(install.data))
        times = occurred(install.data)
        counts = counted(install.spool)
        differences = unaccounted(install.spool)
    lost = sum(counts[count] for count in LOST)
    strange = [name for name, phase in phases.items() if not _as_the_clock_said(phase, times)]
    return Result(
        {
            "clocks": len(clocks),
            "answered clicks": fate.answered,
            "lost": fate.missing,
            "stored twice": fate.repeated,
            "events with another time than the clock's": len(strange),
        },
        failed(
            (wrong, f"{len(wrong)} clicks were not redirected, such as {wrong[:1]}"),
            (fate.missing or lost, f"{fate.missing} are missing, {lost} counted lost"),
            (fate.repeated, f"{fate.repeated} are stored twice"),
            (strange, f"times that the clock did not say, with the clock {', '.join(strange)}"),
            (differences, f"the account does not add up: {differences}"),
            (status, f"the worker ended with status {status}"),
        ),
    )


def _set(clock: Path, offset: int) -> None:
    new = clock.with_suffix(".new")
    new.write_text(f"{offset:+d}\n")
    new.replace(clock)


def _faketime(clock: Path) -> dict[str, str]:
    """The environment of a process that goes by that file."""
    faketime = require("faketime", binary="faketime")
    [library] = sorted(faketime.parents[1].glob("lib/*/faketime/libfaketimeMT.so.1"))
    return {
        "LD_PRELOAD": os.pathsep.join(filter(None, (str(library), os.environ.get("LD_PRELOAD", "")))),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def _as_the_clock_said(phase: Phase, times: dict[int, float]) -> bool:
    first, last = phase.began + phase.offset - APART_SECONDS, phase.ended + phase.offset + APART_SECONDS
    return all(first <= times[number] <= last for number in phase.answered if number in times)
