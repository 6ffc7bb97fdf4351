"""Killed at every write, sync, rename, unlink and answer of a segment's life, recovery is whole every time.

`strace --inject` sends SIGKILL as a call begins, for every call that an undisturbed life makes in its spool directory,
and for every answer it sends. What a call did when it was last is what the kill before the next one sees.
"""

import shutil
from pathlib import Path
from random import Random

from torture import life, taken
from torture.gate import Progress, Result, Scale, failed
from torture.life import Call

SHORT_POINTS = 4


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """Kill at each, or at a few that are drawn."""
    prepared = life.prepare(progress.directory / "prepared")
    calls = [call for stage in life.STAGES for call in life.undisturbed(prepared[stage], stage, progress.directory)]
    points = sorted({(call.stage, call.kind, call.number, _of_the_writer(call)) for call in calls})
    if scale is Scale.SHORT:
        points = rng.sample(points, SHORT_POINTS)
    met: set[Call] = set()
    kills = 0
    wrong: list[str] = []
    state = progress.load()
    for number, (stage, kind, nth, of_the_writer) in enumerate(points):
        name = f"{stage}, {kind} {nth}{' of the writer' * of_the_writer}"
        progress.say(f"{number + 1} of {len(points)}: {name}")
        if name in state:
            found = state[name]
        else:
            inject = f"{kind}:signal=KILL:when={nth}"
            found = _kill(prepared[stage], stage, inject, progress.directory / "life", of_the_writer=of_the_writer)
            state[name] = found
            progress.save(state)
        kills += found["killed"]
        met.update(Call(*call) for call in found["calls"])
        wrong += [f"{name}: {sentence}" for sentence in found["wrong"]]
    killed_cores, not_whole = _kill_collector(scale, progress, rng, state)
    wrong += not_whole
    unmet = sorted({_place(call) for call in calls if call.kind != life.ANSWER} - {_place(call) for call in met})
    return Result(
        {
            "calls": len({_place(call) for call in calls}),
            "kills of the worker": kills,
            "kills of the core": killed_cores,
            "recoveries that were not whole": len(wrong),
        },
        (*wrong, *failed((scale is Scale.FULL and unmet, f"never killed at: {unmet}"))),
    )


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


def _place(call: Call) -> tuple[str, ...]:
    """The writer does the same in every stage."""
    return (call.stage * (call.thread == "main" and call.kind != life.ANSWER), call.thread, call.kind, str(call.number))


def _of_the_writer(call: Call) -> bool:
    """Whether strace is to look at the worker's own directory alone.

    The main thread syncs the directories above it at every start, before the writer's thread has synced anything.
    """
    return call.kind == "fsync" and call.thread != "main"


def _kill(prepared: Path, stage: str, inject: str, folder: Path, *, of_the_writer: bool) -> dict:
    log = folder.with_suffix(".log")
    with life.copy(prepared, folder) as install:
        only = install.worker_spool() if of_the_writer else None
        outcome = life.live(install, stage, inject, log, only=only)
        wrong = life.recovered(install, outcome, stage)
    if wrong:
        shutil.copytree(folder, folder.with_name(inject.replace(":", "-")), dirs_exist_ok=True)
    # The call of the kill is the last of all.
    return {"killed": outcome.ended, "calls": outcome.calls[-1:] if outcome.ended else [], "wrong": wrong}
