"""Store and database dead, stopped, or killed in an insert: no redirect fails, the backlog goes 5 times as fast.

The embedded event store lives and dies with the core; the control database is a PostgreSQL. Each is killed, and each is
stopped as if it had become endlessly slow, while readers click. First of all an edge starts that never had either.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests import postgresql
from tests.debian import require

from torture.gate import Progress, Result, Scale, failed
from torture.load import Readers, click_once
from torture.oracle import compare, counted, stored, unaccounted, wait_stored
from torture.processes import Install, Started
from waypost.spool.counters import LOST

COLD_LINKS = {Scale.SHORT: 30, Scale.FULL: 1_000}
COLD_FIRST = 500_000_000
PER_SECOND = {Scale.SHORT: 150.0, Scale.FULL: 500.0}
OUTAGE_SECONDS = {Scale.SHORT: 1.0, Scale.FULL: 60.0}
KILLS_IN_INSERT = {Scale.SHORT: 1, Scale.FULL: 20}
FASTER_MIN = 5.0


class Trial:
    """The processes, and what was measured of them."""

    def __init__(self, scale: Scale, progress: Progress, install: Install, database: Path, rng: Random) -> None:
        self.kills = 0
        self.drained: dict[str, float] = {}
        """How many times as fast as it came the backlog of an outage went."""
        self.failures: list[str] = []
        self._seconds = OUTAGE_SECONDS[scale]
        self._progress = progress
        self._install = install
        self._database = database
        self._rng = rng
        self.core = self._start()

    def outages(self, kills: int) -> None:
        """One of each kind."""
        self._outage("the core is dead", self._core_dead)
        self._outage("the core is stopped", self._core_stopped)
        for number in range(kills):
            self._progress.say(f"killed in an insert, {number + 1} of {kills}")
            self._kill_in_insert()
        self._outage("the control database is stopped", self._database_stopped)
        self._outage("the control database is dead", self._database_dead)

    def _outage(self, name: str, suffer: Callable[[], None]) -> None:
        self._progress.say(f"{name} for {self._seconds:.0f} s")
        suffer()
        if self.core.process.poll() is not None:
            self.failures.append(f"{name}: the core ended")
            self.core = self._start()
        self.drained[name] = self._seconds / max(0.001, self._backlog_gone())

    def _backlog_gone(self) -> float:
        """Until what is sealed now is stored."""
        began = time.monotonic()
        waiting = set(self._install.spool.rglob("*.seg"))
        while any(path.exists() for path in waiting):
            if time.monotonic() - began > self._seconds + 60:
                raise AssertionError("the backlog does not become less")
            time.sleep(0.01)
        return time.monotonic() - began

    def _start(self) -> Started:
        core = self._install.core()
        core.wait_ready()
        return core

    def _core_dead(self) -> None:
        self.core.kill()
        time.sleep(self._seconds)
        self.core = self._start()

    def _core_stopped(self) -> None:
        with _stopped([self.core.process.pid]):
            time.sleep(self._seconds)

    def _kill_in_insert(self) -> None:
        """Soon after it began to take a backlog."""
        self.core.kill()
        self.kills += 1
        time.sleep(0.5)
        backlog = len(list(self._install.spool.rglob("*.seg")))
        self.core = self._install.core()
        while len(list(self._install.spool.rglob("*.seg"))) >= backlog and not self.core.is_ready():
            time.sleep(0.005)
        time.sleep(self._rng.uniform(0, 0.3))
        self.core.kill()
        self.core = self._start()

    def _database_stopped(self) -> None:
        with _stopped(_processes(self._database)):
            time.sleep(self._seconds)

    def _database_dead(self) -> None:
        _pg_ctl(self._database, "stop", "--mode=immediate")
        time.sleep(self._seconds)
        _pg_ctl(
            self._database, "start", "-l", str(self._database / "log"), "-o", f"-k {self._database} -h '' -c fsync=off"
        )


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """A cold start, then the outages one after the other under load."""
    with postgresql.running(durable=False) as server:
        settings = {"WAYPOST_DB__URL": server.new_database()}
        with Install(progress.directory / "install", settings) as install:
            edge = install.edge()
            edge.wait_ready()
            progress.say("an edge starts with everything else dead")
            cold = range(COLD_FIRST, COLD_FIRST + COLD_LINKS[scale])
            redirected = [number for number in cold if click_once(install.edge_port, install.keyring, number)]
            trial = Trial(scale, progress, install, server.directory, rng)
            with Readers(
                install.edge_port,
                install.keyring,
                readers=4,
                pipelined=2,
                per_second=PER_SECOND[scale],
                rng=rng,
            ) as readers:
                trial.outages(KILLS_IN_INSERT[scale])
            edge.stop()
            wait_stored(install.spool)
            trial.core.stop()
            fate = compare([*redirected, *readers.answered()], stored(install.data))
            counts = counted(install.spool)
            differences = unaccounted(install.spool)
    lost = sum(counts[count] for count in LOST)
    slowest = min(trial.drained, key=trial.drained.__getitem__)
    bad = readers.cut_off + len(readers.wrong) + len(cold) - len(redirected)
    return Result(
        {
            "links after a cold start": len(redirected),
            "seconds of each outage": round(OUTAGE_SECONDS[scale]),
            "kills in an insert": trial.kills,
            "answered clicks": fate.answered,
            "failed redirects": bad,
            "lost": fate.missing,
            "stored twice": fate.repeated,
            "backlog drained at least (times real time)": round(trial.drained[slowest], 1),
        },
        failed(
            (trial.failures, "; ".join(trial.failures)),
            (bad, f"{bad} clicks were not redirected, such as {readers.wrong[:1]}"),
            (fate.missing or lost, f"{fate.missing} are missing, {lost} counted lost"),
            (fate.repeated, f"{fate.repeated} are stored twice"),
            (differences, f"the account does not add up: {differences}"),
            (
                scale is Scale.FULL and trial.drained[slowest] < FASTER_MIN,
                f"after {slowest} the backlog drained at {trial.drained[slowest]:.1f} times real time",
            ),
        ),
    )


@contextmanager
def _stopped(processes: list[int]) -> Iterator[None]:
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def _processes(database: Path) -> list[int]:
    """Of the PostgreSQL server, its first one first."""
    first = (database / "data" / "postmaster.pid").read_text().split()[0]
    return [int(first), *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]


def _pg_ctl(database: Path, *command: str) -> None:
    pg_ctl = require("postgresql", binary="pg_ctl")
    as_server = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run(
        [*as_server, pg_ctl, "-D", database / "data", "--wait", *command],
        cwd=database,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )
