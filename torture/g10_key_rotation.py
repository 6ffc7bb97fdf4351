"""100 rotations of link keys over three edges elsewhere, some killed or cut off: no failed redirect.

`waypost keys` adds a key, every edge says that its workers hold it, and it mints. Readers click links sealed with
whatever the keyring's file says mints, from that moment on, and with all that minted before. While an edge lacks a key
the key is refused to mint, whatever the reason.
"""

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from random import Random
from threading import Lock

from torture.failover import FailoverReaders
from torture.gate import Progress, Result, Scale, failed
from torture.load import click_once, request, sealer
from torture.machines import EdgeMachine, operate
from torture.oracle import compare, counted, stored, unaccounted
from torture.processes import WORKER_COMMAND, Install
from torture.wire import Wire
from waypost.keyfile import keyring_path, load_keyring
from waypost.keyfile.snapshot import snapshot_path
from waypost.keyfile.watched import WatchedKeyring
from waypost.links.token import Sealer
from waypost.spool.counters import LOST

NAMES = ("paris", "rome", "oslo")
BACKUP = "backup"
PER_SECOND = 150.0
KEPT_FIRST = 1_000_000_000
AT_ONCE_FIRST = 2_000_000_000
CONFIRMED_SECONDS = 60.0
"""For all edges to say that they hold a key, on a busy machine: some six seconds are usual."""
ASK_SECONDS = 0.1
ADDED = re.compile(r"Added key (\d+)\.")
REFUSED = re.compile(r"^  edge ([a-z]+) ", re.MULTILINE)


class MintedKeys:
    """The keys that mint, or did: what links in mailboxes are sealed with at any moment."""

    def __init__(self, path: Path) -> None:
        self._watched = WatchedKeyring(path)
        self._sealers: dict[int, Sealer] = {}
        self._lock = Lock()

    def draw(self, rng: Random) -> Sealer:
        """Half of the time the one that mints now."""
        with self._lock:
            self._watched.look()
            minting = self._watched.keyring.minting.key_id
            if minting not in self._sealers:
                self._sealers[minting] = sealer(self._watched.keyring)
            return self._sealers[minting] if rng.random() < 0.5 else rng.choice(list(self._sealers.values()))


class RotationReaders(FailoverReaders):
    """Readers of links of every age."""

    def __init__(self, minted: MintedKeys, *given: object, **more: object) -> None:
        super().__init__(*given, **more)
        self._minted = minted

    def _request(self, number: int, rng: Random) -> bytes:
        return request(self._minted.draw(rng), number)


class Fleet:
    """A core and its edges."""

    def __init__(self, folder: Path, held: ExitStack) -> None:
        self.core = held.enter_context(Install(folder / "core", listeners=False))
        self.running = self.core.core()
        self.running.wait_ready()
        self.wires = {name: held.enter_context(Wire(self.core.control_port)) for name in NAMES}
        """Each edge's to the core."""
        self.machines = {
            name: held.enter_context(
                EdgeMachine(folder / name, self.core, name, f"http://127.0.0.1:{self.wires[name].port}")
            )
            for name in NAMES
        }
        for machine in self.machines.values():
            machine.begin()
        for machine in self.machines.values():
            machine.wait_in_rotation()
            backup = machine.folder / BACKUP
            backup.mkdir()
            for path in (keyring_path(machine.data), snapshot_path(machine.data)):
                shutil.copy(path, backup)

    def minting(self) -> int:
        return load_keyring(keyring_path(self.core.data)).minting.key_id

    @contextmanager
    def killed(self, machine: EdgeMachine) -> Iterator[None]:
        """An edge is dead."""
        machine.kill()
        yield
        machine.begin().wait_ready()

    @contextmanager
    def restored(self, machine: EdgeMachine) -> Iterator[None]:
        """An edge is dead, and comes back with the keyring and the snapshot of its first day."""
        machine.kill()
        yield
        for path in (machine.folder / BACKUP).iterdir():
            shutil.copy(path, machine.data)
        machine.begin().wait_ready()

    @contextmanager
    def cut(self, machine: EdgeMachine) -> Iterator[None]:
        """An edge redirects, and cannot reach the core."""
        self.wires[machine.name].cut()
        yield
        self.wires[machine.name].mend()

    @contextmanager
    def stuck(self, machine: EdgeMachine) -> Iterator[None]:
        """An edge has the keyring's new file, and a worker that has not read it."""
        workers = machine.running.children(WORKER_COMMAND)
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        try:
            yield
        finally:
            for worker in workers:
                os.kill(worker, signal.SIGCONT)

    @contextmanager
    def without_core(self, _: EdgeMachine) -> Iterator[None]:
        """The core is dead."""
        self.running.kill()
        yield
        self.running = self.core.core()
        self.running.wait_ready()


ALL = "without a core"
TROUBLES: Mapping[str, Callable[[Fleet, EdgeMachine], AbstractContextManager[None]]] = {
    "killed": Fleet.killed,
    "cut off": Fleet.cut,
    "restored from a backup": Fleet.restored,
    "with a stuck worker": Fleet.stuck,
    ALL: Fleet.without_core,
}
"""What keeps an edge from having a new key; the last one all of them."""
ROUNDS = {
    Scale.SHORT: ((), ("killed", "cut off"), ()),
    Scale.FULL: (
        *((), ("killed",), (), ("cut off",), (), ("restored from a backup",), (), ("with a stuck worker",)),
        *(("killed", "cut off"), (ALL,)),
    )
    * 10,
}
"""The troubles of each rotation, each another edge's."""


class Trial:
    """Rotations, and what was seen of them."""

    def __init__(self, fleet: Fleet, rng: Random) -> None:
        self.rotations = 0
        self.refusals = 0
        """To mint with a key that an edge lacked."""
        self.longest = 0.0
        """Seconds from an added key to one that mints, with nothing in the way."""
        self.answered: list[int] = []
        """Clicks of links sealed with a key that mints since a moment ago, on every edge."""
        self.failures: list[str] = []
        self._fleet = fleet
        self._rng = rng

    def rotate(self, troubles: Sequence[str]) -> None:
        """Add a key, have it mint, and click its first links."""
        machines = self._rng.sample(list(self._fleet.machines.values()), len(troubles))
        began = time.monotonic()
        if troubles:
            with ExitStack() as troubled:
                for trouble, machine in zip(troubles, machines, strict=True):
                    troubled.enter_context(TROUBLES[trouble](self._fleet, machine))
                key_id = self._add()
                self._refused(key_id, set(NAMES) if ALL in troubles else {machine.name for machine in machines})
            self._promote(key_id)
        else:
            answer = operate(self._fleet.core, "keys", "add", "--mint")
            key_id = int(ADDED.search(answer.output)[1])
            if answer.exit_code:  # a busy machine
                self._promote(key_id)
            self.longest = max(self.longest, time.monotonic() - began)
        self.rotations += 1
        self._click_at_once(key_id)

    def _add(self) -> int:
        answer = operate(self._fleet.core, "keys", "add")
        return int(ADDED.search(answer.output)[1])

    def _refused(self, key_id: int, lacking: set[str]) -> None:
        """Until exactly those edges that cannot have it are named; it mints at no time."""
        deadline = time.monotonic() + CONFIRMED_SECONDS
        while True:
            answer = operate(self._fleet.core, "keys", "promote", str(key_id))
            if not answer.exit_code or self._fleet.minting() == key_id:
                self.failures.append(f"key {key_id} mints, and {', '.join(lacking)} cannot have it: {answer.output}")
                return
            self.refusals += 1
            if (named := set(REFUSED.findall(answer.output))) == lacking:
                return
            time.sleep(ASK_SECONDS)
            if not named >= lacking or time.monotonic() > deadline:
                self.failures.append(f"key {key_id} is refused for {named}, and {lacking} lack it: {answer.output}")
                return

    def _promote(self, key_id: int) -> None:
        deadline = time.monotonic() + CONFIRMED_SECONDS
        while (answer := operate(self._fleet.core, "keys", "promote", str(key_id))).exit_code:
            self.refusals += 1
            time.sleep(ASK_SECONDS)
            if time.monotonic() > deadline:
                raise AssertionError(f"key {key_id} does not come to mint: {answer.output}")

    def _click_at_once(self, key_id: int) -> None:
        keyring = self._fleet.core.keyring
        assert keyring.minting.key_id == key_id
        for machine in self._fleet.machines.values():
            number = AT_ONCE_FIRST + len(self.answered)
            if click_once(machine.edge_port, keyring, number):
                self.answered.append(number)
            else:
                self.failures.append(f"a first link of key {key_id} is not redirected on {machine.name}")


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """Rotate under load, then count."""
    with ExitStack() as held:
        fleet = Fleet(progress.directory, held)
        trial = Trial(fleet, rng)
        minted = MintedKeys(keyring_path(fleet.core.data))
        addresses = [("127.0.0.1", machine.edge_port) for machine in fleet.machines.values()]
        with ExitStack() as clicking:
            fresh, kept = (
                clicking.enter_context(
                    RotationReaders(
                        minted,
                        addresses,
                        fleet.core.keyring,
                        readers=6,
                        first=first,
                        per_second=PER_SECOND / 2,
                        fresh=not first,
                        rng=rng,
                    )
                )
                for first in (0, KEPT_FIRST)
            )
            for number, troubles in enumerate(ROUNDS[scale], start=1):
                doing = "".join(f", an edge {trouble}" for trouble in troubles)
                progress.say(
                    f"rotation {number} of {len(ROUNDS[scale])}{doing}; {fresh.count + kept.count:,} clicks answered"
                )
                trial.rotate(troubles)
        clicks = [*fresh.answered(), *kept.answered(), *trial.answered]
        for machine in fleet.machines.values():
            machine.wait_handed_over()
            if status := machine.running.stop():
                trial.failures.append(f"{machine.name} ended with status {status}")
        fleet.running.stop()
        fate = compare(clicks, stored(fleet.core.data))
        spools = {name: machine.spool for name, machine in fleet.machines.items()}
        # A kill takes what a slow disk did not have yet: a reader waits for it no longer than agreed.
        counted_lost = sum(counted(spool)[count] for spool in spools.values() for count in LOST)
        differences = {name: found for name, spool in spools.items() if (found := unaccounted(spool))}
    lost = max(0, fate.missing - counted_lost)
    cut_off, wrong = fresh.cut_off + kept.cut_off, fresh.wrong + kept.wrong
    return Result(
        {
            "edges": len(NAMES),
            "rotations": trial.rotations,
            "with an edge in trouble": sum(map(bool, ROUNDS[scale])),
            "refusals to mint": trial.refusals,
            "longest undisturbed rotation (s)": round(trial.longest, 1),
            "clicks of a key that mints since a moment ago": len(trial.answered),
            "answered clicks": fate.answered,
            "failed redirects": cut_off + len(wrong),
            "asked again elsewhere": fresh.retried + kept.retried,
            "lost": lost,
            "stored twice": fate.repeated,
            "counted lost": counted_lost,
        },
        failed(
            (trial.failures, "; ".join(trial.failures)),
            (cut_off, f"{cut_off} clicks were answered nowhere"),
            (wrong, f"{len(wrong)} answers were no redirect, such as {wrong[:1]}"),
            (lost, f"{lost} answered clicks are neither stored nor counted lost"),
            (fate.repeated, f"{fate.repeated} are stored twice"),
            (differences, f"the account does not add up: {differences}"),
        ),
    )
