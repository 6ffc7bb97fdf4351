"""A segment's life in a real edge worker, with strace in its way: killed, or failed, at the call that is named.

strace counts calls for each thread, so a call is named by its kind and its number within its thread. Three stages make
every call of the spool come first in its thread once: a first start, a start that finds what kills and strangers left,
and a start that finds nothing to do.
"""

import re
import shutil
import signal
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.debian import require

from torture.load import click_once
from torture.oracle import spooled, unaccounted
from torture.processes import Install, NotStartedError, Started
from waypost.spool.counters import Count, read_counters

KINDS = ("mkdir", "pwrite64", "write", "fdatasync", "fsync", "rename", "unlink", "ftruncate")
ANSWER = "sendto"
STAGES = ("first start", "recovery", "serving")
_ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "WAYPOST_SPOOL__SEGMENT_SECONDS": "0.6"}
"""Longer than three clicks take under strace: they are in one segment, whose calls can be numbered."""
CALL = re.compile(r"^(\d+)\s+(\w+)\(")
_SEALED_SECONDS = 2.0
FIRST_CLICKS = (1_001, 1_002, 1_003)
"""Of the life before, in what it left."""
CLICKS = (1, 2, 3)
LAST_CLICK = 4
MORE_CLICKS = range(11, 61)
"""A tenth of a second apart, until one is kept: five seconds to recover."""
LEAST_MORE = 4
AFTER = 5


class Call(NamedTuple):
    """A system call of a worker, named so that it can be met again."""

    stage: str
    thread: str
    """`main`, or `writer` for any other."""
    kind: str
    number: int


@dataclass
class Outcome:
    """One life."""

    answered: list[int]
    asked: list[int]
    ended: bool
    """It died before its time."""
    in_time: bool
    """A click was kept in the end, where that was waited for."""
    calls: list[Call]
    """In the spool directory and, after a kill, the last one made."""


def prepare(folder: Path) -> dict[str, Path]:
    """Data directories for the stages, to be copied for each life."""
    shutil.rmtree(folder, ignore_errors=True)
    made = {}
    for stage in STAGES:
        with Install(folder / stage.replace(" ", "-"), _ENVIRONMENT) as install:
            if stage != "first start":
                _live_before(install, left=stage == "recovery")
            made[stage] = install.data
    return made


def _live_before(install: Install, *, left: bool) -> None:
    """A life before: ended well, or killed, with strangers in its directory."""
    worker = install.edge()
    worker.wait_ready()
    if not left:
        worker.stop()
        return
    # One connection: all in one segment, which is still open.
    assert all(click_once(install.edge_port, install.keyring, number) for number in FIRST_CLICKS)
    worker.kill()
    directory = install.worker_spool()
    [mine, *_] = sorted(directory.glob("*.open"), key=lambda path: path.stat().st_size, reverse=True)
    mine.write_bytes(mine.read_bytes() + b"\xc1WR\x1e torn")
    (directory / "edge-0.019cb7d4-0d59-7000-8000-000000000001.open").write_bytes(b"\0" * 512)
    (directory / "edge-0.019cb7d4-0d59-7000-8000-000000000002.open").write_bytes(b"not one of ours" * 9)


def live(install: Install, stage: str, inject: str, log: Path, *, until_kept: bool = False) -> Outcome:
    """Three clicks, their segment sealed, one more, an orderly end: all of it, or until it dies.

    Args:
        install: of this life alone.
        stage: for the names of its calls.
        inject: for strace; empty: nothing is disturbed.
        log: strace's.
        until_kept: click on before the end, until a click is kept.
    """
    strace = require("strace", binary="strace")
    under = [
        *(str(strace), "-D", "-f", "-y", "-q", "-o", str(log)),
        *("-e", f"trace={','.join((*KINDS, ANSWER))}"),
        *(("-e", f"inject={inject}") if inject else ()),
    ]
    answered: list[int] = []
    asked: list[int] = []
    kept = 0
    worker = install.edge(under=under)
    with suppress(NotStartedError):
        worker.wait_ready()
        for number in (*CLICKS, LAST_CLICK, *(MORE_CLICKS if until_kept else ())):
            if number == LAST_CLICK:
                _wait_sealed(install.worker_spool(), worker)
            elif number in MORE_CLICKS:
                time.sleep(0.1)
                kept, before = read_counters(install.worker_spool())[Count.KEPT], kept
                if number >= MORE_CLICKS.start + LEAST_MORE and kept > before:
                    break
            if worker.process.poll() is not None:
                break
            asked.append(number)
            if click_once(install.edge_port, install.keyring, number):
                answered.append(number)
    in_time = not until_kept or MORE_CLICKS[-1] not in asked
    ended = worker.stop() == -signal.SIGKILL
    return Outcome(answered, asked, ended, in_time, read_calls(log, stage, install.spool, worker.process.pid))


def _wait_sealed(directory: Path, worker: Started) -> None:
    deadline = time.monotonic() + _SEALED_SECONDS
    while list(directory.glob("*.open")) and worker.process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)


def read_calls(log: Path, stage: str, spool: Path, main: int) -> list[Call]:
    """Calls on the spool, and the last one before a kill, from strace's log."""
    numbers: Counter[tuple[str, str]] = Counter()
    calls = []
    last: dict[str, Call] = {}
    for line in log.read_text(errors="replace").splitlines():
        if "+++ killed by" in line and (call := last.get(line.split()[0])) is not None:
            calls.append(call)
        if not (match := CALL.match(line)):
            continue
        thread, kind = match.groups()
        numbers[thread, kind] += 1
        role = "main" if int(thread) == main else "writer"
        last[thread] = Call(stage, role, kind, numbers[thread, kind])
        if str(spool) in line or kind == ANSWER:
            calls.append(last[thread])
    return list(dict.fromkeys(calls))


def copy(prepared: Path, folder: Path) -> Install:
    """An install on a copy of a prepared data directory."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(prepared, folder / "data")
    return Install(folder, _ENVIRONMENT, listeners=False)


def recovered(install: Install, outcome: Outcome, stage: str, *, exact: bool = False) -> list[str]:
    """Start it again without strace, click once more, end it: what is wrong then.

    Args:
        install: of the life that is over.
        outcome: what it did.
        stage: it was in.
        exact: every click that is counted lost must be missing: it was not killed.
    """
    worker = install.edge()
    worker.wait_ready()
    answered = {*outcome.answered}
    if click_once(install.edge_port, install.keyring, AFTER):
        answered.add(AFTER)
    status = worker.stop()
    found, damaged = spooled(install.spool)
    expected = answered | (set(FIRST_CLICKS) if stage == "recovery" else set())
    lost = sum(value for count, value in read_counters(install.worker_spool()).items() if count.startswith("lost_"))
    missing = sorted(expected - found.keys())
    left = [path.name for path in install.spool.rglob("*.open")]
    bad = len(list(install.spool.rglob("*.bad")))
    return [
        sentence
        for wrong, sentence in (
            (AFTER not in answered, "it did not redirect after the restart"),
            (status, f"it ended with status {status}"),
            (
                len(missing) != lost if exact else len(missing) > lost,
                f"clicks {missing} were answered and are gone, and {lost} are counted lost",
            ),
            ([number for number, times in found.items() if times > 1], "a click is there twice"),
            (damaged, f"damaged: {damaged}"),
            (left, f"left open: {left}"),
            (bad != (stage == "recovery"), f"{bad} files were set aside"),
            (unaccounted(install.spool), f"the account does not add up: {_account(install)}"),
        )
        if wrong
    ]


def _account(install: Install) -> Mapping[str, object]:
    counts = read_counters(install.worker_spool())
    return unaccounted(install.spool) | {str(count): counts[count] for count in Count if counts[count]}


def undisturbed(prepared: Path, stage: str, folder: Path) -> list[Call]:
    """The calls of a life that nothing disturbs.

    Raises:
        AssertionError: even that one is not whole.
    """
    with copy(prepared, folder / "life") as install:
        outcome = live(install, stage, "", folder / "strace.log")
        wrong = recovered(install, outcome, stage, exact=True)
    if outcome.ended or outcome.answered != outcome.asked or wrong:
        raise AssertionError(f"undisturbed, it answered {outcome.answered} of {outcome.asked}: {wrong}")
    return outcome.calls
