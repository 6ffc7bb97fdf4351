"""Killed at every write, sync, rename, unlink and answer of a segment's life, recovery is whole every time.

`strace --inject` sends SIGKILL as a call begins, for every call that an undisturbed life makes in its spool directory,
and for every answer it sends. What a call did when it was last is what the kill before the next one sees.

On a busy machine a segment may be sealed a click early, and its calls have other numbers. The plan is what two lives in
a row have made alike, and a call that no kill came at is tried again.
"""

import shutil
from pathlib import Path
from random import Random
from typing import NamedTuple

from torture import life, taken
from torture.gate import Progress, Result, Scale, failed
from torture.life import Call

SHORT_POINTS = 4
SAME_LIVES_MAX = 5
"""Of one stage, until two in a row are alike."""
TRIES = 3


class Point(NamedTuple):
    """Where to kill: as the call of that kind and number begins, in whichever thread makes it."""

    stage: str
    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.stage}, {self.kind} {self.number}"


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """Kill at each, or at a few that are drawn."""
    prepared = life.prepare(progress.directory / "prepared")
    calls = [call for stage in life.STAGES for call in _plan(prepared[stage], stage, progress)]
    points = sorted({_point(call) for call in calls})
    if scale is Scale.SHORT:
        points = rng.sample(points, SHORT_POINTS)
    unmet = {call for call in calls if call.kind != life.ANSWER} if scale is Scale.FULL else set()
    kills = 0
    wrong: list[str] = []
    state = progress.load()
    for number in range(TRIES):
        for at, point in enumerate(points):
            progress.say(f"{at + 1} of {len(points)}: {point}")
            name = f"{point}{', again' * number}"
            if name not in state:
                state[name] = _kill(prepared[point.stage], point, progress.directory / "life")
                progress.save(state)
            found = state[name]
            kills += found["killed"]
            unmet -= {Call(*call) for call in found["calls"]}
            wrong += [f"{name}: {sentence}" for sentence in found["wrong"]]
        points = sorted({_point(call) for call in unmet})
    killed_cores, not_whole = _kill_collector(scale, progress, rng, state)
    wrong += not_whole
    return Result(
        {
            "calls": len(set(calls)),
            "kills of the worker": kills,
            "kills of the core": killed_cores,
            "recoveries that were not whole": len(wrong),
        },
        (*wrong, *failed((unmet, f"never killed at: {sorted(unmet)}"))),
    )


def _plan(prepared: Path, stage: str, progress: Progress) -> list[Call]:
    """The calls of a life that nothing disturbs: of two in a row that made the same, but for answers."""
    before = None
    for _ in range(SAME_LIVES_MAX):
        calls = life.undisturbed(prepared, stage, progress.directory)
        spooled = {call for call in calls if call.kind != life.ANSWER}
        if spooled == before:
            return calls
        before = spooled
    raise AssertionError(f"{stage}: no two of {SAME_LIVES_MAX} lives in a row made the same calls")


def _kill_collector(scale: Scale, progress: Progress, rng: Random, state: dict) -> tuple[int, list[str]]:
    """A core at each call that takes a segment, or at one that is drawn: how often, and what was wrong then."""
    folder = progress.directory / "taken"
    prepared = taken.prepare(progress.directory / "prepared")
    points = taken.calls(prepared, folder) if scale is Scale.FULL else [rng.choice(taken.ON_SEGMENTS)]
    wrong: list[str] = []
    kills = 0
    for number, (stage, kind, nth) in enumerate(points):
        name = f"core, {stage}, {kind} {nth}"
        progress.say(f"{number + 1} of {len(points)}: {name}")
        if name not in state:
            install, killed = taken.collect(prepared, folder, stage, f"{kind}:signal=KILL:when={nth}")
            with install:
                state[name] = {"killed": killed, "wrong": taken.whole(install)}
            progress.save(state)
        kills += state[name]["killed"]
        wrong += [f"{name}: {sentence}" for sentence in state[name]["wrong"]]
    return kills, wrong


def _point(call: Call) -> Point:
    return Point(call.stage, call.kind, call.number)


def _kill(prepared: Path, point: Point, folder: Path) -> dict:
    log = folder.with_suffix(".log")
    inject = f"{point.kind}:signal=KILL:when={point.number}"
    with life.copy(prepared, folder) as install:
        outcome = life.live(install, point.stage, inject, log)
        wrong = life.recovered(install, outcome, point.stage)
    if wrong:
        shutil.copytree(folder, folder.with_name(inject.replace(":", "-")), dirs_exist_ok=True)
    # The call of the kill is the last of all.
    return {"killed": outcome.ended, "calls": outcome.calls[-1:] if outcome.ended else [], "wrong": wrong}
