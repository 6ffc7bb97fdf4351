"""Power lost at any instant: no click that was answered with group commit is lost, but what was counted unsynced.

The disk under a real worker, and under lives made of the same parts with a disk that fails, fills up or stalls, is
recorded: every call and every answer. From the record come the states in which the disk may be found (`power.py`), at
every instant, the unsynced tail cut, zeroed, torn and stale at every byte. Each is laid out and started from. So is
what a kill leaves before the power goes, and a power loss in the midst of the recovery from another.
"""

import copy
import logging
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.unit.spool.conftest import Clock, FailingFiles

from torture.gate import Progress, Result, Scale, failed
from torture.load import number_of
from torture.power import DIRECTORY, Crash, Disk
from torture.recording import Event, RecordingFiles, What
from torture.spool_lives import LIVES, Life, make_hit, open_spool, record, record_worker
from waypost.spool import UnreadableSegmentError, read_segment, sealed_segments
from waypost.spool.conservation import account
from waypost.spool.counters import COUNTERS_NAME, LOST, Count
from waypost.spool.files import PAGE_BYTES
from waypost.spool.names import segment_id
from waypost.spool.segments import QUARANTINE_SUFFIX, SEALED_SUFFIX

MEMORY = "/dev/shm"
"""A file system that needs no disk: hundreds of thousands of directories are laid out on it."""
AFTER = 900_000
"""The click after the restart."""
OWED_SLOT = 64
EVERY = {Scale.SHORT: 499, Scale.FULL: 1}
"""Of the states that differ in a byte, or in the age of the counters, one of so many."""
EVERY_UNSYNCED = {Scale.SHORT: 499, Scale.FULL: 7}
"""With process durability, of which less is promised and whose tails are long."""
EVERY_AGAIN = {Scale.SHORT: 499, Scale.FULL: 97}
"""After a kill or another power loss."""
TWICE = {Scale.SHORT: 0.01, Scale.FULL: 0.002}
"""Share of the power losses whose recovery loses power too."""
KILLED = {Scale.SHORT: 0.02, Scale.FULL: 1.0}
"""Share of a life's instants at which the process is killed first."""
REAL = "a real worker"
REAL_CLICKS = {Scale.SHORT: 6, Scale.FULL: 60}


@dataclass
class Found:
    """What became of the crashes of one life, summed up.

    Attributes:
        answered: clicks of that life.
        states: of the disk that were started from.
        gone: most clicks that were not there after one.
        off: furthest that an account was off, where the disk had older counters.
        wrong: how often what did not hold, each a sentence.
        examples: one crash of each.
    """

    answered: int = 0
    states: int = 0
    gone: int = 0
    off: int = 0
    wrong: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, sentence: str, crash: Crash) -> None:
        self.wrong[sentence] = self.wrong.get(sentence, 0) + 1
        self.examples.setdefault(sentence, crash.what)


class Trial:
    """One life, and each crash of it laid out and started from.

    Args:
        root: the disk.
        life: what the worker went through.
        events: what happened in it.
        scale: how many crashes.
        rng: draws.
    """

    def __init__(self, root: Path, life: Life, events: list[Event], scale: Scale, rng: Random) -> None:
        self.found = Found(answered=sum(event.what is What.ANSWER for event in events))
        self._root = root
        self._directory = root / DIRECTORY
        self._life = life
        self._events = events
        self._scale = scale
        self._rng = rng

    def lose_power(self) -> None:
        """At every instant, and for some once more, in the midst of recovery."""
        every = EVERY[self._scale] if self._life.sync else EVERY_UNSYNCED[self._scale]
        for crash in Disk(every=every, rng=self._rng).crashes(self._events):
            self._start(crash)
            if crash.page == crash.newest and self._rng.random() < TWICE[self._scale]:
                self._lose_power_in_recovery(
                    Disk(crash, every=EVERY_AGAIN[self._scale], rng=self._rng), crash.files, crash.page
                )

    def kill(self) -> None:
        """At every instant, and lose power in recovery, which found what was not synced."""
        disk = Disk(every=EVERY_AGAIN[self._scale], rng=self._rng)
        for event in self._events:
            disk.apply(event)
            if self._rng.random() < KILLED[self._scale]:
                self._lose_power_in_recovery(copy.deepcopy(disk), *disk.in_memory())

    def _lose_power_in_recovery(self, disk: Disk, files: Mapping[str, bytes] | None, page: bytes | None) -> None:
        self._lay_out(files, page)
        recording = RecordingFiles(self._root)
        writer, _ = open_spool(self._root, self._life, recording, Clock())
        writer.close()
        for crash in disk.crashes(recording.events):
            self._start(crash)

    def _lay_out(self, files: Mapping[str, bytes] | None, page: bytes | None) -> None:
        if files is None:
            shutil.rmtree(self._directory.parent, ignore_errors=True)
            return
        self._directory.mkdir(parents=True, exist_ok=True)
        for path in self._directory.iterdir():
            path.unlink()
        for name, data in files.items():
            (self._directory / name).write_bytes(data)
        if page:
            (self._directory / COUNTERS_NAME).write_bytes(page)

    def _start(self, crash: Crash) -> None:
        """Start from a crash, click once more, end, and look."""
        self._lay_out(crash.files, crash.page)
        # Without a bound, so that nothing goes that was there.
        writer, counters = open_spool(self._root, self._life._replace(max_bytes=0), FailingFiles(), Clock())
        kept_again = (writer.write([make_hit(AFTER, Random(0))]) or writer.sync()) is Count.KEPT
        counters.add(Count.ANSWERED, 1)
        writer.close()
        self.found.states += 1
        found, damaged = self._read(crash)
        for sentence in (
            *failed(
                (not kept_again or found[AFTER] != 1, "the click after the restart was not kept"),
                (damaged, "a segment is damaged where it was synced"),
                (self._badly_set_aside(crash), "a segment with something in it was set aside"),
            ),
            *self._compare(crash, found),
        ):
            self.found.add(sentence, crash)

    def _read(self, crash: Crash) -> tuple[Counter[int], bool]:
        """Clicks that can be read, and whether something that was synced, or written since, cannot.

        A record is known by its segment and its number, as the collector knows it: recycled blocks can show an older
        segment, whole, under a newer one's name, and it is stored once.
        """
        records: dict[tuple[str, int], int] = {}
        damaged = False
        for path in sealed_segments(self._directory):
            sure = crash.sure.get(path.stem, sys.maxsize)
            try:
                segment = read_segment(path)
            except UnreadableSegmentError:
                damaged |= sure > 0
                continue
            for number, hit in segment.records:
                records[segment.segment_id, number] = number_of(hit.send_id)
            damaged |= any(each.offset < sure for each in segment.damaged)
        return Counter(records.values()), damaged

    def _badly_set_aside(self, crash: Crash) -> bool:
        """Whether a segment was set aside that holds what was synced, or clicks of its own."""
        for path in self._directory.glob(f"*{QUARANTINE_SUFFIX}"):
            if crash.sure.get(segment_id(path)):
                return True
            try:
                segment = read_segment(path)
            except UnreadableSegmentError:
                continue
            if segment.segment_id == segment_id(path) and segment.records:
                return True
        return False

    def _compare(self, crash: Crash, found: Counter[int]) -> tuple[str, ...]:
        """What was answered with what is there."""
        lost = {click for click, outcome in crash.answered.items() if outcome in LOST}
        kept = {click for click, outcome in crash.answered.items() if outcome is Count.KEPT}
        promised = (kept if self._life.sync else crash.sealed) - crash.dropped
        gone = crash.answered.keys() - found.keys() - lost - crash.dropped
        self.found.gone = max(self.found.gone, len(gone))
        unsynced = _counts(crash.newest)[Count.UNSYNCED]
        left = {path.suffix for path in self._directory.iterdir()} - {SEALED_SUFFIX, QUARANTINE_SUFFIX, ""}
        return failed(
            (gone & promised, "clicks that were kept are gone"),
            (self._life.sync and len(gone) > unsynced, "more clicks are gone than were counted unsynced"),
            (any(times > 1 for times in found.values()), "a click is there twice"),
            (lost & found.keys() and crash.page == crash.newest, "clicks that were counted lost turn up"),
            (left, f"files are left as {left}"),
            (self._unexplained(crash, found, len(gone)), "the account does not add up"),
        )

    def _unexplained(self, crash: Crash, found: Counter[int], gone: int) -> bool:
        """Whether the account is off by more than what is gone, back though dropped, or lacking in the counters."""
        said = account(self._directory)
        newest, page = _counts(crash.newest), _counts(crash.page or b"")
        # Whose answer is under way, and what a recovery found and counted: it does so first, for fear of a kill.
        more = gone + newest[Count.ANSWERED] - len(crash.answered) + newest[Count.UNANSWERED]
        more += max(0, len(crash.dropped) - newest[Count.DROPPED])
        if not self._life.sync:  # kept, not yet answered, and gone
            more += max(0, newest[Count.KEPT] + sum(newest[count] for count in LOST) - newest[Count.ANSWERED])
        less = len(crash.dropped & found.keys())
        if crash.page != crash.newest:
            older = sum(abs(newest[count] - page[count]) for count in newest)
            more += older
            less += older + said.backlog.records - len(crash.answered.keys() & found.keys())
            self.found.off = max(self.found.off, abs(said.difference))
        return not -less <= said.difference <= more


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """Each life, then a real worker's."""
    state = progress.load()
    spool_log = logging.getLogger("waypost.spool")
    level = spool_log.level
    spool_log.setLevel(logging.CRITICAL + 1)  # thousands of damaged segments are found, and it says so each time
    try:
        for name in (*LIVES, REAL):
            if name not in state:
                progress.say(f"{name}: {sum(each['states'] for each in state.values()):,} states so far")
                state[name] = asdict(_try(name, scale, progress.directory, rng))
                progress.save(state)
    finally:
        spool_log.setLevel(level)
    return _result({name: Found(**found) for name, found in state.items()})


def _try(name: str, scale: Scale, folder: Path, rng: Random) -> Found:
    life = LIVES.get(name, LIVES["clicks"])
    with TemporaryDirectory(dir=MEMORY) as disk:
        root = Path(disk)
        events = record_worker(folder, REAL_CLICKS[scale]) if name == REAL else record(root, life, rng)
        trial = Trial(root, life, events, scale, rng)
        trial.lose_power()
        trial.kill()
    return trial.found


def _counts(page: bytes) -> dict[str, int]:
    """All of a page of counters, and what is owed."""
    slots = memoryview(page.ljust(PAGE_BYTES, b"\0")).cast("Q")
    return {**dict(zip(Count, slots[1:], strict=False)), "owed": slots[OWED_SLOT]}


def _result(lives: Mapping[str, Found]) -> Result:
    wrong: Counter[str] = Counter()
    for found in lives.values():
        wrong.update(found.wrong)
    examples = {
        sentence: f"{name}, {example}" for name, found in lives.items() for sentence, example in found.examples.items()
    }
    synced = [found for name, found in lives.items() if name == REAL or LIVES[name].sync]
    unsynced = [found for name, found in lives.items() if name != REAL and not LIVES[name].sync]
    return Result(
        {
            "lives": len(lives),
            "answered clicks": sum(found.answered for found in lives.values()),
            "states of the disk": sum(found.states for found in lives.values()),
            "not whole again": sum(wrong.values()),
            "most clicks gone, all of them unsynced": max(found.gone for found in synced),
            "most clicks gone with process durability, all of the open segment": max(found.gone for found in unsynced),
            "furthest that counters of before put the account off": max(found.off for found in lives.values()),
        },
        tuple(f"{sentence}: {count} times, such as {examples[sentence]}" for sentence, count in wrong.items()),
    )
