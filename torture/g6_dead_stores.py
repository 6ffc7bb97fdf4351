"""Store and database dead, stopped, or killed in an insert: no redirect fails, the backlog goes 5 times as fast.

The embedded event store lives and dies with the core; the control database is a PostgreSQL. Each is killed, and each is
stopped as if it had become endlessly slow, while readers click and an account is told of its events by a webhook. In
the end each of its events was noted once and told, and every click has its final verdict, and its place where that is
known. First of all an edge starts that never had either.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

from demo.api import Api
from tests import postgresql
from tests.debian import require
from tests.mmdb import LONDON, write_mmdb

from torture.gate import Progress, Result, Scale, failed
from torture.load import LINK_DOMAIN, Readers, click_once, destination, sealer, send_id
from torture.oracle import Known, compare, counted, known, unaccounted, wait_stored
from torture.processes import Install, Started
from torture.receivers import Receivers, Taking
from torture.told import EMAIL, Deliveries, Notice, Told, fill, make_due, noted, notices, wait_told
from waypost.db import Database, create_engine, database_url
from waypost.events.notice import NoticeType
from waypost.links.keyring import Keyring
from waypost.spool.counters import LOST
from waypost.webhooks.notices import LEARN_SECONDS

COLD_LINKS = {Scale.SHORT: 30, Scale.FULL: 1_000}
COLD_FIRST = 500_000_000
PER_SECOND = {Scale.SHORT: 150.0, Scale.FULL: 500.0}
OUTAGE_SECONDS = {Scale.SHORT: 1.0, Scale.FULL: 60.0}
KILLS_IN_INSERT = {Scale.SHORT: 1, Scale.FULL: 20}
FASTER_MIN = 5.0
TOLD_ACCOUNT, TOLD_PROFILE = 17, 18
TOLD_FIRST = 600_000_000
TOLD_SENDS = {Scale.SHORT: 2_000, Scale.FULL: 20_000}
"""More than are clicked."""
TOLD_PER_SECOND = {Scale.SHORT: 2.0, Scale.FULL: 5.0}
PLACE = "81.2.69.142"
SETTLED_SECONDS = 600.0
"""All of the last two minutes' clicks fall due at once."""
LOOK_SECONDS = 30.0
TOLD_SECONDS = 300.0


class ToldReaders(Readers):
    """Of the account that is told, from somewhere that is known."""

    def __init__(self, port: int, keyring: Keyring, per_second: float, rng: Random) -> None:
        super().__init__(port, keyring, readers=1, first=TOLD_FIRST, pipelined=2, per_second=per_second, rng=rng)
        self._told = sealer(keyring, account=TOLD_ACCOUNT, profile=TOLD_PROFILE)

    def _request(self, number: int, _: Random) -> bytes:
        token = self._told.click(send_id(number), 0, destination(number))
        head = f"GET /c/{token} HTTP/1.1\r\nHost: {LINK_DOMAIN}\r\nX-Forwarded-For: {PLACE}\r\n"
        return f"{head}User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0)\r\n\r\n".encode()


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


class Audience:
    """The account that is told, what happened to its sends, and what its receiver took."""

    def __init__(self, install: Install, database: Database, receivers: Receivers, scale: Scale, rng: Random) -> None:
        self.taking = Taking()
        self._database = database
        numbers = range(TOLD_FIRST, TOLD_FIRST + TOLD_SENDS[scale])
        fill(database, TOLD_ACCOUNT, TOLD_PROFILE, numbers)
        key = install.run("api-keys", "create", EMAIL, "--name", "torture", "--role", "iac").split()[-1]
        api = Api(f"http://127.0.0.1:{install.control_port}", *key.split(":", 1), seconds=60.0)
        api.post("/api/v1/webhook", {"url": f"http://127.0.0.1:{receivers.open(self.taking).port}/in"})
        time.sleep(LEARN_SECONDS)
        rate = TOLD_PER_SECOND[scale]
        self.readers = ToldReaders(install.edge_port, install.keyring, rate, rng)
        self.deliveries = Deliveries(database, TOLD_ACCOUNT, TOLD_PROFILE, numbers, rate)

    def happened(self) -> set[Told]:
        """What is to be told, changes of verdicts apart."""
        clicks = {(NoticeType.CLICK, number) for number in self.readers.answered()}
        return clicks | {(NoticeType.DELIVERED, number) for number in self.deliveries.done}

    def untold(self) -> list[Notice]:
        """What was noted and never came."""
        return [each for each in notices(self._database) if each.message_id not in self.taking.ids]


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """A cold start, then the outages one after the other under load."""
    with ExitStack() as stack:
        server = stack.enter_context(postgresql.running(durable=False))
        settings = {
            "WAYPOST_DB__URL": server.new_database(),
            "WAYPOST_WEBHOOKS__PRIVATE_NETWORKS": "127.0.0.0/8",
            "WAYPOST_GEOIP__DATABASES": "geoip/city.mmdb",
            "WAYPOST_GEOIP__SOURCES": "",
        }
        install = stack.enter_context(Install(progress.directory / "install", settings))
        write_mmdb(install.data / "geoip" / "city.mmdb", {f"{PLACE}/32": LONDON})
        receivers = stack.enter_context(Receivers())
        edge = install.edge()
        edge.wait_ready()
        progress.say("an edge starts with everything else dead")
        cold = range(COLD_FIRST, COLD_FIRST + COLD_LINKS[scale])
        redirected = [number for number in cold if click_once(install.edge_port, install.keyring, number)]
        trial = Trial(scale, progress, install, server.directory, rng)
        database = Database(create_engine(database_url(settings["WAYPOST_DB__URL"], install.data)))
        stack.callback(database.close)
        audience = Audience(install, database, receivers, scale, rng)
        with (
            Readers(
                install.edge_port,
                install.keyring,
                readers=4,
                pipelined=2,
                per_second=PER_SECOND[scale],
                rng=rng,
            ) as readers,
            audience.readers,
            audience.deliveries,
        ):
            trial.outages(KILLS_IN_INSERT[scale])
        edge.stop()
        wait_stored(install.spool)
        trial.core.stop()
        progress.say("what waits for a verdict or a lease")
        found = _afterwards(install, database, settled=scale is Scale.FULL)
        fate = compare([*redirected, *readers.answered(), *audience.readers.answered()], found.times)
        told = compare(audience.happened(), noted(notices(database)))
        untold = audience.untold()
        counts = counted(install.spool)
        differences = unaccounted(install.spool)
    lost = sum(counts[count] for count in LOST)
    slowest = min(trial.drained, key=trial.drained.__getitem__)
    wrong = [*readers.wrong, *audience.readers.wrong]
    bad = readers.cut_off + audience.readers.cut_off + len(wrong) + len(cold) - len(redirected)
    nowhere = found.nowhere.intersection(audience.readers.answered())
    return Result(
        {
            "links after a cold start": len(redirected),
            "seconds of each outage": round(OUTAGE_SECONDS[scale]),
            "kills in an insert": trial.kills,
            "answered clicks": fate.answered,
            "failed redirects": bad,
            "lost": fate.missing,
            "stored twice": fate.repeated,
            "without final verdict": len(found.unsettled),
            "events to tell": told.answered,
            "not noted": told.missing,
            "noted twice": told.repeated,
            "not told": len(untold),
            "backlog drained at least (times real time)": round(trial.drained[slowest], 1),
        },
        failed(
            (trial.failures, "; ".join(trial.failures)),
            (bad, f"{bad} clicks were not redirected, such as {wrong[:1]}"),
            (fate.missing or lost, f"{fate.missing} are missing, {lost} counted lost"),
            (fate.repeated, f"{fate.repeated} are stored twice"),
            (
                scale is Scale.FULL and found.unsettled,
                f"{len(found.unsettled)} have no final verdict",
            ),
            (nowhere, f"{len(nowhere)} have no place"),
            (told.missing, f"{told.missing} events were not noted for the endpoint"),
            (told.repeated, f"{told.repeated} events were noted twice"),
            (untold, f"{len(untold)} messages never came, such as {untold[:1]}"),
            (not audience.deliveries.done, f"nothing was delivered: {audience.deliveries.failure}"),
            (audience.deliveries.failure, f"deliveries ended with {audience.deliveries.failure!r}"),
            (differences, f"the account does not add up: {differences}"),
            (
                scale is Scale.FULL and trial.drained[slowest] < FASTER_MIN,
                f"after {slowest} the backlog drained at {trial.drained[slowest]:.1f} times real time",
            ),
        ),
    )


def _afterwards(install: Install, database: Database, *, settled: bool) -> Known:
    """What the store holds once all is told and, if that is waited for, all verdicts are final."""
    make_due(database)
    deadline = time.monotonic() + SETTLED_SECONDS
    while True:
        core = install.core()
        core.wait_ready()
        time.sleep(LOOK_SECONDS if settled else 0)
        wait_told(database, TOLD_SECONDS)
        core.stop()
        found = known(install.data)
        if not settled or not found.unsettled or time.monotonic() > deadline:
            return found


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
