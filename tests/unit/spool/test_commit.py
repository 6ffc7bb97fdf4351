"""Group commit around a disk that is quick, stuck, full or broken: readers are answered, hits accounted for."""

import asyncio
import errno
import select
import signal
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.loop_clock import LoopClock

from waypost.events.hit import Hit
from waypost.spool import SpoolInUseError, commit, read_segment, sealed_segments
from waypost.spool.commit import ENOUGH_HITS, GroupCommit
from waypost.spool.conservation import account
from waypost.spool.counters import Count, Counters, read_counters
from waypost.spool.segments import SegmentWriter

MakeWriter = Callable[..., SegmentWriter]
MakeHit = Callable[[int], Hit]


def run(
    writer: SegmentWriter, counters: Counters, scenario: Callable[[GroupCommit], Coroutine[Any, Any, None]], wait=0.02
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        spool = GroupCommit(writer, counters, wait_seconds=wait, loop=loop, soon=loop.call_soon)
        await spool.prepared(60)
        await scenario(spool)
        await spool.close()

    asyncio.run(main())


async def append(spool: GroupCommit, *hits: Hit) -> list[Count]:
    """Append in one turn of the loop; the outcomes when all are released."""
    releases = []
    for hit in hits:
        released: asyncio.Future[Count] = asyncio.get_running_loop().create_future()
        spool.append(hit, released.set_result)
        releases.append(released)
    return list(await asyncio.gather(*releases))


def stored(spool: Path) -> list[int]:
    return [hit.link_index for path in sealed_segments(spool) for _, hit in read_segment(path).records]


class Gate:
    """Holds a call of the file system until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, files: object, name: str) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()
        call = getattr(files, name)

        def gated(*args: object) -> object:
            self.reached.set()
            self.open.wait(60)
            return call(*args)

        monkeypatch.setattr(files, name, gated)


def test_hits_of_one_turn_share_one_sync_and_are_kept(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, spool, files
) -> None:
    async def scenario(group: GroupCommit) -> None:
        assert await append(group, *map(make_hit, range(50))) == [Count.KEPT] * 50
        assert files.calls.count("sync") == 1

    run(make_writer(), counters, scenario, wait=5)
    assert stored(spool) == list(range(50))
    assert (counters[Count.ANSWERED], counters[Count.KEPT], counters[Count.UNSYNCED]) == (50, 50, 0)


def test_hits_that_follow_each_other_within_a_moment_share_a_sync_too(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, spool, files, monkeypatch
) -> None:
    monkeypatch.setattr(commit, "SPACING_SECONDS", 0.5)
    monkeypatch.setattr(commit, "CREDIT_SECONDS", 0)

    async def scenario(group: GroupCommit) -> None:
        loop_clock = LoopClock()
        assert await append(group, make_hit(0)) == [Count.KEPT]
        assert files.calls.count("sync") == 1
        later = []
        for number in range(1, 4):
            later.append(asyncio.create_task(append(group, make_hit(number))))
            loop_clock.pass_seconds(0.1)
            await asyncio.sleep(0)
        assert (group._queued_hits, files.calls.count("sync")) == (0, 1), "none was handed to the writer yet"
        loop_clock.pass_seconds(0.2)
        assert await asyncio.gather(*later) == [[Count.KEPT]] * 3
        assert files.calls.count("sync") == 2

    run(make_writer(), counters, scenario, wait=5)
    assert stored(spool) == [0, 1, 2, 3]


def test_a_few_hits_that_come_together_after_a_pause_are_not_held_up(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, spool, files, monkeypatch
) -> None:
    monkeypatch.setattr(commit, "SPACING_SECONDS", 1.0)
    monkeypatch.setattr(commit, "CREDIT_SECONDS", 2.5)

    async def scenario(group: GroupCommit) -> None:
        loop_clock = LoopClock()
        for number in range(3):
            assert await append(group, make_hit(number)) == [Count.KEPT]
        # The pause is used up: from here on there is one in a second.
        fourth = asyncio.create_task(append(group, make_hit(3)))
        loop_clock.pass_seconds(0.4)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (group._queued_hits, files.calls.count("sync")) == (0, 3), "it was not handed to the writer yet"
        loop_clock.pass_seconds(0.1)
        assert await fourth == [Count.KEPT]

    run(make_writer(), counters, scenario, wait=5)
    assert stored(spool) == [0, 1, 2, 3]


def test_an_idle_writer_seals_by_itself(make_writer: MakeWriter, make_hit: MakeHit, counters, clock, files) -> None:
    sealed = threading.Event()
    files_rename = files.rename

    def rename(old: Path, new: Path) -> None:
        files_rename(old, new)
        sealed.set()

    files.rename = rename

    async def scenario(group: GroupCommit) -> None:
        await append(group, make_hit(1))
        clock.seconds += 0.95  # the thread now waits for the last 50 ms of the segment's second
        await append(group, make_hit(2))
        clock.seconds += 0.1
        assert await asyncio.to_thread(sealed.wait, 60)

    run(make_writer(), counters, scenario, wait=5)


@pytest.mark.parametrize(("call", "owed"), [("sync", 0), ("write", 2)])
def test_a_stuck_disk_holds_a_reader_no_longer_than_agreed(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, spool, files, monkeypatch, call, owed
) -> None:
    """Stuck in write, a kill would lose the answered hits, and they are noted as owed; stuck in sync, it would not."""
    gate = Gate(monkeypatch, files, call)

    async def scenario(group: GroupCommit) -> None:
        loop_clock = LoopClock()
        readers = asyncio.create_task(append(group, make_hit(1), make_hit(2)))
        await loop_clock.until(gate.reached.is_set)
        assert not readers.done()
        loop_clock.pass_seconds(0.02)
        assert await readers == [Count.UNSYNCED] * 2
        assert counters._slots[64] == owed
        assert counters[Count.KEPT] == 0
        gate.open.set()

    run(make_writer(), counters, scenario)
    assert stored(spool) == [1, 2]
    assert counters._slots[64] == 0
    assert (counters[Count.ANSWERED], counters[Count.KEPT], counters[Count.UNSYNCED]) == (2, 2, 2)


def test_a_batch_that_is_large_enough_is_not_held_up_and_the_next_one_is(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, spool, monkeypatch
) -> None:
    monkeypatch.setattr(commit, "SPACING_SECONDS", 0.6)
    monkeypatch.setattr(commit, "CREDIT_SECONDS", 0)

    async def scenario(group: GroupCommit) -> None:
        loop_clock = LoopClock()
        assert await append(group, make_hit(0)) == [Count.KEPT]
        many = [make_hit(number) for number in range(1, ENOUGH_HITS + 2)]
        assert await append(group, *many) == [Count.KEPT] * len(many)
        later = asyncio.create_task(append(group, *many[:-2]))
        await asyncio.sleep(0)
        loop_clock.pass_seconds(1.1)
        await asyncio.sleep(0)
        assert group._gathering is not None
        loop_clock.pass_seconds(0.2)
        assert await later == [Count.KEPT] * (ENOUGH_HITS - 1)

    run(make_writer(), counters, scenario, wait=5)
    assert len(stored(spool)) == 2 * ENOUGH_HITS + 1


def test_the_wait_limit_begins_with_the_first_hit_however_long_its_batch_gathers(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, files, monkeypatch
) -> None:
    monkeypatch.setattr(commit, "SPACING_SECONDS", 0.6)
    monkeypatch.setattr(commit, "CREDIT_SECONDS", 0)
    gate = Gate(monkeypatch, files, "write")
    gate.open.set()

    async def scenario(group: GroupCommit) -> None:
        loop_clock = LoopClock()
        assert await append(group, make_hit(1)) == [Count.KEPT]
        gate.open.clear()
        gate.reached.clear()
        second = asyncio.create_task(append(group, make_hit(2)))
        await asyncio.sleep(0)
        loop_clock.pass_seconds(0.6)
        await loop_clock.until(gate.reached.is_set)
        assert not second.done()
        loop_clock.pass_seconds(0.2)
        assert await second == [Count.UNSYNCED]
        gate.open.set()

    run(make_writer(), counters, scenario, wait=0.8)


def test_a_batch_kept_by_the_time_of_its_limit_counts_as_synced(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, files, monkeypatch
) -> None:
    gate = Gate(monkeypatch, files, "write")

    async def scenario(group: GroupCommit) -> None:
        limits = []
        monkeypatch.setattr(group._loop, "call_at", lambda _when, *call: limits.append(call))
        answered = asyncio.create_task(append(group, make_hit(1)))
        await asyncio.to_thread(gate.reached.wait, 10)
        group._loop.remove_reader(group._told)  # the limit comes first, in one turn of the loop
        gate.open.set()
        assert select.select([group._told], [], [], 5)[0]
        [(expire, batch)] = limits
        expire(batch)
        assert await answered == [Count.KEPT]

    run(make_writer(), counters, scenario, wait=5)
    assert (counters[Count.ANSWERED], counters[Count.KEPT], counters[Count.UNSYNCED]) == (1, 1, 0)


class TooLate:
    """What the loop waits with. When it has waited in vain, the disk answers before the loop goes on."""

    def __init__(self, group: GroupCommit, gate: Gate) -> None:
        self._told = group._told
        self._gate = gate

    def poll(self, _milliseconds: float) -> list[object]:
        self._gate.open.set()
        assert select.select([self._told], [], [], 60)[0]
        return []


def test_a_batch_kept_just_when_the_loop_stops_waiting_is_settled_once(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, files, monkeypatch
) -> None:
    gate = Gate(monkeypatch, files, "write")

    async def scenario(group: GroupCommit) -> None:
        group._poll = TooLate(group, gate)
        assert await append(group, make_hit(1)) == [Count.KEPT]
        await asyncio.sleep(0.01)
        assert group._queued_hits == 0
        assert await append(group, make_hit(2)) == [Count.KEPT]

    run(make_writer(), counters, scenario, wait=5)
    assert (counters[Count.ANSWERED], counters[Count.KEPT], counters[Count.UNSYNCED]) == (2, 2, 0)


class CountingPoll:
    """What the loop waits with, and how often it did."""

    def __init__(self, group: GroupCommit) -> None:
        self._poll = group._poll
        self.waits = 0

    def poll(self, milliseconds: float) -> list[tuple[int, int]]:
        self.waits += 1
        return self._poll.poll(milliseconds)


def test_a_slow_batch_that_is_done_keeps_the_loop_from_waiting_for_the_next_no_more(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, files, monkeypatch
) -> None:
    gate = Gate(monkeypatch, files, "write")

    async def scenario(group: GroupCommit) -> None:
        group._poll = polled = CountingPoll(group)
        first = asyncio.create_task(append(group, make_hit(1)))
        await asyncio.to_thread(gate.reached.wait, 60)
        gate.open.set()
        assert select.select([group._told], [], [], 60)[0]
        second = asyncio.create_task(append(group, make_hit(2)))
        assert [await first, await second] == [[Count.KEPT], [Count.KEPT]]
        assert polled.waits == 2

    run(make_writer(), counters, scenario, wait=5)


def test_hits_waiting_behind_a_stuck_disk_are_bounded(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, files, monkeypatch
) -> None:
    monkeypatch.setattr(commit, "QUEUE_HITS_MAX", 3)
    gate = Gate(monkeypatch, files, "write")

    async def scenario(group: GroupCommit) -> None:
        assert not group.is_full
        assert await append(group, *map(make_hit, range(3))) == [Count.UNSYNCED] * 3
        assert group.is_full
        assert await append(group, make_hit(3)) == [Count.LOST_OVERFLOW]
        gate.open.set()

    run(make_writer(), counters, scenario)
    assert (counters[Count.ANSWERED], counters[Count.KEPT], counters[Count.LOST_OVERFLOW]) == (4, 3, 1)


@pytest.mark.parametrize(
    ("call", "code", "outcome"),
    [("write", errno.ENOSPC, Count.LOST_NO_SPACE), ("sync", errno.EIO, Count.LOST_IO_ERROR)],
)
def test_a_failing_disk_answers_at_once_and_counts(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, spool, files, clock, call, code, outcome
) -> None:
    async def scenario(group: GroupCommit) -> None:
        files.fail = {call: code}
        assert await append(group, make_hit(1), make_hit(2)) == [outcome] * 2
        files.fail = {}
        clock.seconds += 1
        assert await append(group, make_hit(3)) == [Count.KEPT]

    run(make_writer(), counters, scenario, wait=5)
    assert stored(spool) == [3]
    assert (counters[Count.ANSWERED], counters[Count.KEPT], counters[outcome]) == (3, 1, 2)


def unwritable(hit: Hit) -> Hit:
    """A hit that no type checker lets pass: writing it is a bug."""
    return msgspec.structs.replace(hit, destination=object())


def test_a_bug_in_the_writer_loses_its_batch_and_no_more(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, spool, clock
) -> None:
    async def scenario(group: GroupCommit) -> None:
        assert await append(group, unwritable(make_hit(1))) == [Count.LOST_WRITER]
        clock.seconds += 1
        assert await append(group, make_hit(2)) == [Count.KEPT]

    run(make_writer(), counters, scenario, wait=5)
    assert stored(spool) == [2]
    assert (counters[Count.LOST_WRITER], counters[Count.KEPT]) == (1, 1)


def test_a_fault_in_what_is_due_loses_no_hit(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, spool, clock, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(commit, "_FAULT_SECONDS", 0.01)

    async def scenario(group: GroupCommit) -> None:
        first = group._writer
        with monkeypatch.context() as patched:
            assert await append(group, make_hit(0)) == [Count.KEPT]
            # Asked only for what is due, once there is a segment.
            patched.setattr(type(clock), "__call__", lambda _self: 1 // 0)
            assert await append(group, make_hit(1)) == [Count.KEPT]
            assert await append(group, make_hit(2)) == [Count.KEPT]
        assert group._writer is first

    run(make_writer(), counters, scenario, wait=5)
    assert stored(spool) == [0, 1, 2]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_writer_is_replaced_when_there_is_no_room_for_more_hits(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, spool, files, clock, monkeypatch
) -> None:
    monkeypatch.setattr(commit, "QUEUE_HITS_MAX", 2)
    gate = Gate(monkeypatch, files, "create")

    async def scenario(group: GroupCommit) -> None:
        first = group._writer
        with monkeypatch.context() as patched:
            patched.setattr(counters, "cut_back", lambda *_: 1 // 0)
            deadly = asyncio.create_task(append(group, unwritable(make_hit(0))))
            await asyncio.to_thread(gate.reached.wait, 60)
            behind = asyncio.create_task(append(group, make_hit(1), make_hit(2)))
            assert [await deadly, await behind] == [[Count.UNSYNCED], [Count.UNSYNCED] * 2]
            gate.open.set()
            await asyncio.to_thread(first.join)
        clock.seconds += 1
        assert await append(group, make_hit(3)) == [Count.LOST_OVERFLOW]
        assert group._writer is not first
        async with asyncio.timeout(60):
            while group._queued_hits:  # noqa: ASYNC110 -- what changes it knows no event
                await asyncio.sleep(0.01)
        assert await append(group, make_hit(4)) in ([Count.KEPT], [Count.UNSYNCED])

    run(make_writer(), counters, scenario)
    assert stored(spool) == [1, 2, 4]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_giving_up_ends_the_writer_and_still_nobody_waits(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, spool, clock, monkeypatch
) -> None:
    def cut_back(*_: object) -> None:
        raise ZeroDivisionError

    async def scenario(group: GroupCommit) -> None:
        first = group._writer
        with monkeypatch.context() as patched:
            patched.setattr(counters, "cut_back", cut_back)
            assert await append(group, unwritable(make_hit(1))) == [Count.LOST_WRITER]
            await asyncio.to_thread(first.join)
        assert group._queued_hits == 0
        clock.seconds += 1
        # The thread is found dead when the next click comes.
        assert await append(group, make_hit(2)) in ([Count.KEPT], [Count.UNSYNCED])
        assert group._writer is not first

    run(make_writer(), counters, scenario, wait=5)
    assert stored(spool) == [2]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_writer_thread_is_replaced_and_nobody_waits_for_it(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, clock, spool, monkeypatch
) -> None:
    def look_and_die(clock) -> float:
        if counters[Count.KEPT]:
            raise SystemExit
        return clock.seconds

    async def scenario(group: GroupCommit) -> None:
        first = group._writer
        with monkeypatch.context() as patched:
            patched.setattr(type(clock), "__call__", look_and_die)
            await append(group, make_hit(1))
            await asyncio.to_thread(first.join)
        outcomes = await append(group, make_hit(2))
        assert group._writer is not first
        assert outcomes in ([Count.KEPT], [Count.UNSYNCED])

    run(make_writer(), counters, scenario)
    assert stored(spool) == [1, 2]
    assert counters[Count.ANSWERED] == counters[Count.KEPT] == 2


def test_a_signal_to_the_process_never_interrupts_the_writer(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, files, monkeypatch
) -> None:
    blocked = []
    write = files.write

    def look_and_write(*args: Any) -> int:
        blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        return write(*args)

    monkeypatch.setattr(files, "write", look_and_write)

    async def scenario(group: GroupCommit) -> None:
        await append(group, make_hit(1))

    run(make_writer(), counters, scenario)
    assert {signal.SIGINT, signal.SIGTERM} <= set.intersection(*blocked)


def test_closing_keeps_what_was_appended_and_seals(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, spool
) -> None:
    released = []

    async def scenario(group: GroupCommit) -> None:
        group.append(make_hit(1), released.append)

    run(make_writer(), counters, scenario, wait=5)
    assert released == [Count.KEPT]
    assert stored(spool) == [1]


def test_the_last_answer_is_counted_before_the_counters_are_let_go_of(
    make_writer: MakeWriter, make_hit: MakeHit, files, spool, monkeypatch
) -> None:
    monkeypatch.setattr(commit, "BRIEF_MILLISECONDS", 0)
    files.make_directory(spool)
    counters = Counters.open(spool, files)
    writer = make_writer(counters)

    async def scenario(group: GroupCommit) -> None:
        asyncio.get_running_loop().remove_reader(group._told)  # the loop hears of it at the very end
        group.append(make_hit(1), lambda _: None)

    run(writer, counters, scenario, wait=5)
    found = read_counters(spool)
    assert (found[Count.ANSWERED], found[Count.KEPT]) == (1, 1)


def test_a_disk_that_stands_still_at_the_start_holds_no_reader_up_and_loses_no_click(
    make_writer: MakeWriter, make_hit: MakeHit, files, spool, monkeypatch
) -> None:
    counters = Counters.in_memory(until_kept=True)
    writer = make_writer(counters, prepared=False)
    gate = Gate(monkeypatch, files, "make_directory")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        group = GroupCommit(writer, counters, wait_seconds=0.02, loop=loop, soon=loop.call_soon)
        await group.prepared(0.01)
        assert await append(group, make_hit(1), make_hit(2)) == [Count.UNSYNCED] * 2
        gate.open.set()
        await group.prepared(60)
        await group.close()

    asyncio.run(main())
    said = account(spool)
    assert (said.counts[Count.ANSWERED], said.backlog.records, said.lost, said.difference) == (2, 2, 0, 0)


def test_whoever_has_the_directory_keeps_it(make_writer: MakeWriter) -> None:
    owner = make_writer()
    writer = make_writer(Counters.in_memory(until_kept=True), prepared=False)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        group = GroupCommit(writer, Counters.in_memory(), wait_seconds=0.02, loop=loop, soon=loop.call_soon)
        with pytest.raises(SpoolInUseError):
            await group.prepared(60)
        await group.close()

    asyncio.run(main())
    owner.close()


def test_a_disk_that_stands_still_at_the_end_holds_nobody_up(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, files, monkeypatch, caplog
) -> None:
    monkeypatch.setattr(commit, "_STOP_SECONDS", 0.01)
    gate = Gate(monkeypatch, files, "rename")

    async def scenario(group: GroupCommit) -> None:
        assert await append(group, make_hit(1)) == [Count.KEPT]

    run(make_writer(), counters, scenario, wait=5)
    assert "the next start seals the segment" in caplog.text
    gate.open.set()


def test_a_reader_who_cannot_be_answered_does_not_keep_the_others_waiting(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, caplog
) -> None:
    released = []

    def broken(_: Count) -> None:
        raise ZeroDivisionError

    async def scenario(group: GroupCommit) -> None:
        group.append(make_hit(1), broken)
        group.append(make_hit(2), released.append)

    run(make_writer(), counters, scenario, wait=5)
    assert released == [Count.KEPT]
    assert "ZeroDivisionError" in caplog.text
