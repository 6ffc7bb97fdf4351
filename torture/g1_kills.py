"""1,000 `kill -9` of edge, pipeline and control under load, half during recovery: nothing lost, nothing twice.

Two workers and a core, each killed and started again by a thread of its own at random instants, while readers click.
Killed *during recovery* is before it said that it serves; the instants are drawn around the time that takes. In the end
every answered click is looked for in the event store, and every counter must have risen only.
"""

import threading
import time
from array import array
from collections import Counter
from random import Random

from torture.gate import Progress, Result, Scale, failed
from torture.load import Readers
from torture.oracle import compare, counted, stored, unaccounted, wait_stored
from torture.processes import Install, Started
from waypost.spool.counters import LOST, Count, read_counters

KILLS = {Scale.SHORT: 12, Scale.FULL: 1_000}
CLICKS = {Scale.SHORT: 500, Scale.FULL: 1_000_000}
PER_SECOND = {Scale.SHORT: 500.0, Scale.FULL: 4_000.0}
WORKERS = 2
READERS = 6
LIFE_SECONDS = {"edge": 2.0, "core": 3.0}
"""The longest between ready and the kill."""
DURING = 0.6
"""How many kills are aimed at the time before it serves; some of them miss."""
FIRST_READY_SECONDS = {"edge": 0.4, "core": 2.0}
LOOKS_A_CHECKPOINT = 5
LEFTOVERS = (".open", ".seg", ".bad", ".drop")
GAP = 1_000_000
"""Numbers left out after a stop of this program: those asked since the last checkpoint are unknown."""
SETTINGS = {"WAYPOST_SPOOL__KEEP_SECONDS": "2"}


class Killer(threading.Thread):
    """Starts one process again and again, and kills it."""

    def __init__(self, install: Install, victim: str, rng: Random, enough: threading.Event) -> None:
        super().__init__(daemon=True)
        self._install = install
        self.victim = victim
        self._rng = rng
        self._enough = enough
        self._kind = victim.partition("-")[0]
        self._ready_seconds = FIRST_READY_SECONDS[self._kind]
        self.kills = Counter[str]()
        self.failure: Exception | None = None
        self._directory = install.worker_spool(int(victim[-1])) if self._kind == "edge" else None
        self._before: dict[Count, int] = {}

    def run(self) -> None:
        try:
            while not self._enough.is_set():
                self._live()
                self._check_counters()
        except Exception as error:  # noqa: BLE001 -- told by the main thread
            self.failure = error

    def _live(self) -> None:
        started = self._start()
        began = time.monotonic()
        if self._rng.random() < DURING:
            self._enough.wait(self._rng.uniform(0.4, 1.0) * self._ready_seconds)
            self.kills["after" if started.is_ready() else "during"] += 1
        else:
            started.wait_ready()
            self._ready_seconds = time.monotonic() - began
            self._enough.wait(self._rng.uniform(0, LIFE_SECONDS[self._kind]))
            self.kills["after"] += 1
        started.kill()

    def _start(self) -> Started:
        return self._install.core() if self._directory is None else self._install.edge(int(self.victim[-1]))

    def _check_counters(self) -> None:
        if self._directory is None:
            return
        now = dict(read_counters(self._directory))
        fallen = [count for count, value in self._before.items() if now[count] < value]
        if fallen:
            raise AssertionError(f"counters of {self.victim} fell at a kill: {', '.join(fallen)}")
        self._before = now


class Campaign:
    """What goes on over stops of this program: kills, clicks, and the numbers used."""

    def __init__(self, scale: Scale, progress: Progress) -> None:
        self._scale = scale
        self._progress = progress
        self._path = progress.directory / "answered"
        state = {"kills": {}, "next": 0, "wrong": []} | progress.load()
        self.next: int = state["next"]
        self.kills = Counter[str](state["kills"])
        self.wrong: list[str] = state["wrong"]
        self.answered = array("Q")
        if self._path.exists():
            self.answered.frombytes(self._path.read_bytes())
        self._kills_before, self._answered_before, self._wrong_before = self.kills, self.answered, self.wrong

    def look(self, killers: list[Killer], readers: Readers) -> bool:
        """Say where it is; whether it is done."""
        self.kills = self._kills_before + Counter(
            {f"{killer.victim} {when}": n for killer in killers for when, n in killer.kills.items()}
        )
        kills, clicks = self.kills.total(), len(self._answered_before) + readers.count
        self._progress.say(f"{kills:,} of {KILLS[self._scale]:,} kills, {clicks:,} clicks answered")
        return kills >= KILLS[self._scale] and clicks >= CLICKS[self._scale]

    def save(self, readers: Readers) -> None:
        """So that a run that is stopped can go on from here."""
        self.answered = self._answered_before + readers.answered()
        self.wrong = self._wrong_before + readers.wrong
        new = self._path.with_suffix(".new")
        new.write_bytes(self.answered.tobytes())
        new.replace(self._path)
        self._progress.save(
            {
                "kills": self.kills,
                "next": readers.asked + GAP,
                "wrong": self.wrong,
            }
        )

    def kills_of(self, word: str) -> int:
        """Kills by victim, or by when."""
        return sum(kills for name, kills in self.kills.items() if word in name)


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """Kill until there were enough kills and enough clicks."""
    campaign = Campaign(scale, progress)
    with Install(progress.directory / "install", SETTINGS, workers=WORKERS) as install:
        killers = _kill(install, campaign, PER_SECOND[scale], rng)
        progress.say("comparing what was answered with what is stored")
        fate = compare(campaign.answered, stored(install.data))
        counts = counted(install.spool)
        differences = unaccounted(install.spool)
        left = [path.name for path in install.spool.rglob("*") if path.suffix in LEFTOVERS]
    lost_counted = sum(counts[count] for count in LOST)
    lost = max(0, fate.missing - lost_counted)
    return Result(
        {
            "kills": campaign.kills.total(),
            "of edges": campaign.kills_of("edge"),
            "of the core": campaign.kills_of("core"),
            "during recovery": campaign.kills_of("during"),
            "answered clicks": fate.answered,
            "lost": lost,
            "stored twice": fate.repeated,
            "counted lost": lost_counted,
            "stored, but the answer was cut off": counts[Count.UNANSWERED],
            "answered before the sync": counts[Count.UNSYNCED],
        },
        failed(
            *((killer.failure, f"{killer.victim}: {killer.failure}") for killer in killers),
            (lost, f"{lost} answered clicks are neither stored nor counted lost"),
            (fate.repeated, f"{fate.repeated} clicks are stored more than once"),
            (differences, f"the account does not add up: {differences}"),
            (left, f"left in the spool: {left[:5]}"),
            (campaign.wrong, f"{len(campaign.wrong)} answers were no redirect, such as {campaign.wrong[:1]}"),
            (
                counts[Count.ANSWERED] < fate.answered,
                f"the counters know {counts[Count.ANSWERED]} answered clicks",
            ),
        ),
    )


def _kill(install: Install, campaign: Campaign, per_second: float, rng: Random) -> list[Killer]:
    """The campaign; ends with everything stored and stopped."""
    enough = threading.Event()
    victims = (*(f"edge-{worker}" for worker in range(WORKERS)), "core")
    killers = [Killer(install, victim, Random(rng.random() + campaign.next), enough) for victim in victims]
    with Readers(
        install.edge_port,
        install.keyring,
        readers=READERS,
        first=campaign.next,
        per_second=per_second,
        rng=rng,
    ) as readers:
        for killer in killers:
            killer.start()
        looks = 0
        while not campaign.look(killers, readers) and not any(killer.failure for killer in killers):
            time.sleep(1.0)
            looks += 1
            if looks % LOOKS_A_CHECKPOINT == 0:
                campaign.save(readers)
        enough.set()
        for killer in killers:
            killer.join()
        last = [*map(install.edge, range(WORKERS)), install.core()]
        for started in last:
            started.wait_ready()
    campaign.look(killers, readers)
    campaign.save(readers)
    for started in last[:WORKERS]:
        started.stop()
    wait_stored(install.spool)
    last[-1].stop()
    return killers
