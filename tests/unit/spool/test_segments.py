"""The write side over a file system that fails: what was promised stays, the rest is counted, service comes back."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from waypost.events.hit import Hit
from waypost.spool import SpoolInUseError, read_segment, sealed_segments
from waypost.spool.counters import LOST, Count, Counters
from waypost.spool.framing import encode_trailer
from waypost.spool.segments import RETRY_SECONDS, UNREADABLE_SECONDS, SegmentWriter

MakeWriter = Callable[..., SegmentWriter]
MakeHit = Callable[[int], Hit]


def keep(writer: SegmentWriter, *hits: Hit) -> Count:
    return writer.write(hits) or writer.sync()


def stored(spool: Path) -> list[int]:
    """Link indexes of all readable records; every segment must be whole."""
    segments = [read_segment(path) for path in sealed_segments(spool)]
    assert [(segment.damaged, segment.missing) for segment in segments] == [([], 0)] * len(segments)
    return [hit.link_index for segment in segments for _, hit in segment.records]


def lost(counters: Counters) -> int:
    return sum(counters[count] for count in LOST)


def test_a_segment_is_sealed_when_it_is_old_enough(make_writer: MakeWriter, make_hit: MakeHit, clock, spool) -> None:
    writer = make_writer()
    assert writer.tick() is None
    keep(writer, make_hit(1))
    clock.seconds += 0.4
    keep(writer, make_hit(2))
    assert writer.tick() == pytest.approx(0.6)
    assert stored(spool) == []
    clock.seconds += 0.7
    assert writer.tick() is None
    assert stored(spool) == [1, 2]


def test_a_segment_is_sealed_when_it_is_large_enough(make_writer: MakeWriter, make_hit: MakeHit, spool) -> None:
    writer = make_writer(segment_bytes=1500)
    for number in range(20):
        keep(writer, make_hit(number))
    assert stored(spool) == list(range(len(stored(spool))))
    assert all(path.stat().st_size < 2000 for path in sealed_segments(spool))
    assert len(sealed_segments(spool)) > 2
    writer.close()
    assert stored(spool) == list(range(20))


def test_with_group_commit_a_hit_is_kept_once_file_and_name_are_synced(
    make_writer: MakeWriter, make_hit: MakeHit, files
) -> None:
    writer = make_writer()
    files.calls.clear()
    keep(writer, make_hit(1))
    assert files.calls == ["create", "write", "write", "sync", "sync_directory"]
    files.calls.clear()
    keep(writer, make_hit(2), make_hit(3))
    assert files.calls == ["write", "sync"]


def test_without_group_commit_a_segment_is_synced_when_sealed(
    make_writer: MakeWriter, make_hit: MakeHit, files
) -> None:
    writer = make_writer(sync=False)
    files.calls.clear()
    keep(writer, make_hit(1))
    assert "sync" not in files.calls
    files.calls.clear()
    writer.close()
    assert files.calls == ["write", "sync", "rename", "sync_directory"]


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize("torn", [0, 1, 100, 400])
@pytest.mark.parametrize(
    ("call", "code", "reason"),
    [
        ("create", errno.ENOSPC, Count.LOST_NO_SPACE),
        ("write", errno.ENOSPC, Count.LOST_NO_SPACE),
        ("write", errno.EDQUOT, Count.LOST_NO_SPACE),
        ("write", errno.EIO, Count.LOST_IO_ERROR),
        ("sync", errno.EIO, Count.LOST_IO_ERROR),
        ("sync", errno.ENOSPC, Count.LOST_NO_SPACE),
        ("sync_directory", errno.EIO, Count.LOST_IO_ERROR),
        ("rename", errno.EIO, Count.LOST_IO_ERROR),
        ("truncate", errno.EIO, Count.LOST_IO_ERROR),
        ("unlink", errno.EIO, Count.LOST_IO_ERROR),
        ("read", errno.EIO, Count.LOST_IO_ERROR),
    ],
)
def test_every_hit_is_readable_once_or_counted_lost_whatever_fails(
    make_writer: MakeWriter, make_hit: MakeHit, files, clock, spool, counters, sync, torn, call, code, reason
) -> None:
    writer = make_writer(sync=sync)
    outcomes = {}

    def keep_some(numbers: range) -> None:
        for number in numbers:
            outcomes[number] = keep(writer, make_hit(number))
            clock.seconds += 0.3
            writer.tick()

    keep_some(range(3))
    files.fail, files.torn = {call: code}, torn
    keep_some(range(3, 10))
    # The calls of putting things right fail too, as on a disk that is gone.
    files.fail |= dict.fromkeys(("write", "sync", "truncate", "rename", "unlink", "read"), code)
    keep_some(range(10, 16))
    files.fail = {}
    clock.seconds += RETRY_SECONDS
    writer.tick()
    keep_some(range(16, 20))
    writer.close()

    assert writer.failing is None
    assert stored(spool) == [number for number, outcome in outcomes.items() if outcome is Count.KEPT]
    assert stored(spool)[-4:] == [16, 17, 18, 19]
    assert lost(counters) == sum(outcome is not Count.KEPT for outcome in outcomes.values()) == counters[reason]
    assert counters[Count.KEPT] + lost(counters) == 20
    assert list(spool.glob("*.open")) == []


def test_a_hit_whose_sync_failed_never_appears_even_if_the_process_is_killed_before_it_is_cut(
    make_writer: MakeWriter, make_hit: MakeHit, files, spool, counters
) -> None:
    writer = make_writer()
    keep(writer, make_hit(1))
    files.fail = {"sync": errno.EIO, "truncate": errno.EIO}
    assert keep(writer, make_hit(2)) is Count.LOST_IO_ERROR
    files.fail = {}
    kill(writer)
    make_writer().close()
    assert stored(spool) == [1]
    assert counters.cut is None


def test_while_the_counted_loss_could_still_be_read_no_other_segment_is_begun(
    make_writer: MakeWriter, make_hit: MakeHit, files, clock, spool
) -> None:
    writer = make_writer()
    keep(writer, make_hit(1))
    files.fail = {"sync": errno.EIO, "truncate": errno.EIO}
    keep(writer, make_hit(2))
    files.fail = {"truncate": errno.EIO}
    clock.seconds += RETRY_SECONDS
    assert keep(writer, make_hit(3)) is Count.LOST_IO_ERROR
    assert len(list(spool.glob("*.open"))) == 1


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("can_cut", [True, False])
def test_a_segment_that_can_be_neither_cut_nor_read_is_set_aside_and_others_are_begun(
    make_writer: MakeWriter, make_hit: MakeHit, files, clock, spool, counters, caplog, *, killed: bool, can_cut: bool
) -> None:
    writer = make_writer()
    keep(writer, make_hit(1))
    files.fail = {"sync": errno.EIO}
    keep(writer, make_hit(2))
    files.fail = {"read": errno.EIO} if can_cut else {"read": errno.EIO, "truncate": errno.EIO}
    whole = next(spool.glob("*.open")).stat().st_size
    if killed:
        kill(writer)
        writer = make_writer()
    clock.seconds += UNREADABLE_SECONDS - 0.1
    writer.tick()
    assert keep(writer, make_hit(3)) is Count.LOST_IO_ERROR
    clock.seconds += RETRY_SECONDS
    writer.tick()
    assert keep(writer, make_hit(4)) is Count.KEPT
    writer.close()
    assert stored(spool) == [4]
    [aside] = spool.glob("*.0-1.bad")
    assert (aside.stat().st_size < whole) is can_cut
    assert ("is still in" in caplog.text) is not can_cut
    assert (counters[Count.KEPT], counters[Count.QUARANTINED_HITS], lost(counters)) == (2, 1, 2)


def test_a_failing_disk_is_not_tried_for_every_hit(make_writer: MakeWriter, make_hit: MakeHit, files, clock) -> None:
    writer = make_writer()
    files.fail = {"create": errno.ENOSPC}
    for number in range(100):
        assert keep(writer, make_hit(number)) is Count.LOST_NO_SPACE
    assert files.calls.count("create") == 2
    clock.seconds += RETRY_SECONDS
    keep(writer, make_hit(100))
    assert files.calls.count("create") == 3


def test_a_single_failure_loses_a_single_batch(make_writer: MakeWriter, make_hit: MakeHit, files, spool) -> None:
    writer = make_writer()
    keep(writer, make_hit(1))
    files.fail = {"sync": errno.EIO}
    assert keep(writer, make_hit(2)) is Count.LOST_IO_ERROR
    files.fail = {}
    assert keep(writer, make_hit(3)) is Count.KEPT
    writer.close()
    assert stored(spool) == [1, 3]


def test_an_old_segment_that_cannot_be_read_does_not_stop_new_ones(
    make_writer: MakeWriter, make_hit: MakeHit, files, clock, spool
) -> None:
    spool.mkdir()
    (spool / "edge-0.old.open").write_bytes(b"x")
    files.fail = {"read": errno.EIO}
    writer = make_writer()
    assert keep(writer, make_hit(1)) is Count.KEPT
    clock.seconds += 2
    writer.tick()
    assert keep(writer, make_hit(2)) is Count.KEPT
    files.fail = {}
    clock.seconds += 2
    writer.tick()
    assert stored(spool) == [1, 2]
    assert [path.name for path in spool.glob("*.bad")] == ["edge-0.old.0-0.bad"]


def kill(writer: SegmentWriter) -> None:
    """End a writer as `kill -9` would: nothing flushed, the kernel closes its files."""
    writer._files.close(writer._lock)
    if writer._segment is not None:
        writer._files.close(writer._segment.descriptor)


def test_a_killed_writer_leaves_its_records_to_the_next_one(make_writer: MakeWriter, make_hit: MakeHit, spool) -> None:
    writer = make_writer()
    keep(writer, make_hit(1), make_hit(2))
    kill(writer)
    assert stored(spool) == []
    make_writer()
    assert stored(spool) == [1, 2]


def test_recovery_of_a_tail_torn_at_any_byte_keeps_what_is_whole_and_loses_nothing_else(
    make_writer: MakeWriter, make_hit: MakeHit, spool
) -> None:
    writer = make_writer()
    ends = []
    for number in range(3):
        keep(writer, make_hit(number))
        ends.append(writer._segment.size)
    path = writer._segment.path
    kill(writer)
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        for tail in (b"", bytes(50), b"\xc1WR\x1e" + b"?" * 50):
            path.write_bytes(whole[:length] + tail)
            make_writer().close()
            expected = [number for number, end in enumerate(ends) if end <= length]
            assert stored(spool) == expected
            assert list(spool.glob("*.open")) == []
            for left in [*spool.glob("*.seg"), *spool.glob("*.bad")]:
                left.unlink()


def test_a_damaged_record_before_good_ones_stays_in_the_segment_and_is_reported_to_the_reader(
    make_writer: MakeWriter, make_hit: MakeHit, spool
) -> None:
    """Pages reach the disk in any order: after a power loss a hole can precede records that were answered."""
    writer = make_writer()
    keep(writer, make_hit(0))
    start = writer._segment.size
    keep(writer, make_hit(1))
    end = writer._segment.size
    keep(writer, make_hit(2))
    path = writer._segment.path
    kill(writer)
    data = bytearray(path.read_bytes())
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    make_writer().close()
    segment = read_segment(sealed_segments(spool)[0])
    assert [number for number, _ in segment.records] == [0, 2]
    assert (len(segment.damaged), segment.missing) == (1, 1)


def test_a_segment_killed_between_its_trailer_and_the_sync_is_synced_before_it_is_called_sealed(
    make_writer: MakeWriter, make_hit: MakeHit, files, spool
) -> None:
    writer = make_writer()
    keep(writer, make_hit(1))
    with writer._segment.path.open("ab") as file:
        file.write(encode_trailer(1, writer._segment.seed))
    kill(writer)
    files.calls.clear()
    make_writer()
    assert [call for call in files.calls if call in ("sync", "rename")] == ["sync", "rename"]
    assert stored(spool) == [1]


def test_a_file_that_holds_an_older_segment_is_set_aside_and_its_clicks_are_not_there_twice(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, spool
) -> None:
    """A power loss can bring up what was in a new file's blocks before: another segment, whole."""
    writer = make_writer()
    keep(writer, make_hit(1))
    writer.close()
    [older] = sealed_segments(spool)
    (spool / "edge-0.019cb7d4-0d59-7000-8000-000000000001.open").write_bytes(older.read_bytes())
    make_writer()
    assert stored(spool) == [1]
    assert len(list(spool.glob("*.bad"))) == counters[Count.QUARANTINED] == 1


def test_the_note_of_a_loss_stays_until_the_segment_cannot_come_back_with_the_power(
    make_writer: MakeWriter, make_hit: MakeHit, files, clock, counters: Counters
) -> None:
    writer = make_writer()
    files.fail = {"sync": errno.EIO, "unlink": errno.EIO}
    assert keep(writer, make_hit(1)) is Count.LOST_IO_ERROR
    files.fail = {"sync_directory": errno.EIO}
    writer.tick()
    assert "unlink" in files.calls
    assert counters.cut is not None
    files.fail = {}
    clock.seconds += RETRY_SECONDS
    writer.tick()
    assert counters.cut is None


def test_a_file_that_was_set_aside_does_not_come_back_with_the_power(make_writer: MakeWriter, files, spool) -> None:
    spool.mkdir()
    (spool / "notes.open").write_bytes(b"not a segment")
    make_writer()
    assert files.calls[files.calls.index("rename") + 1 :] == ["sync_directory"]


def test_the_clicks_of_a_segment_that_is_set_aside_once_more_are_counted_once(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters
) -> None:
    writer = make_writer(sync=False)
    keep(writer, make_hit(1), make_hit(2))
    path = writer._segment.path
    kill(writer)
    path.write_bytes(b"power was lost before any of it was on the disk")
    make_writer().close()
    [aside] = path.parent.glob("*.bad")
    aside.rename(path)  # and once more, before its new name was
    make_writer().close()
    assert counters[Count.QUARANTINED_HITS] == 2


def test_the_names_of_its_directory_and_of_the_one_above_are_on_the_disk(make_writer: MakeWriter, files, spool) -> None:
    synced = []
    files.sync_directory = synced.append
    make_writer()
    assert synced[:2] == [spool.parent, spool.parent.parent]


def test_what_was_answered_before_it_was_written_is_counted_lost_after_a_kill(
    make_writer: MakeWriter, counters: Counters
) -> None:
    killed = Counters(counters._slots.obj)
    killed.owe(3)
    killed.owe(-1)
    make_writer()
    assert counters[Count.LOST_KILLED] == 2


def test_what_is_answered_before_the_directory_can_be_had_is_written_and_counted_once(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, files, clock
) -> None:
    """The process before it was killed; then the disk fails for a while, and readers are answered meanwhile."""
    killed = Counters(counters._slots.obj)
    killed.add(Count.KEPT, 7)
    killed.add(Count.ANSWERED, 5)
    killed.owe(2)
    files.fail["make_directory"] = errno.ENOSPC
    writer = make_writer()
    assert writer.write([make_hit(1)]) is not None
    counters.add(Count.ANSWERED, 1)
    counters.owe(1)
    counters.add(Count.ANSWERED, 1)
    files.fail.clear()
    clock.seconds += 1
    assert writer.write([make_hit(2)]) is None
    counters.owe(-1)
    assert writer.sync() is Count.KEPT
    writer.close()
    lost = {count: counters[count] for count in LOST if counters[count]}
    assert lost == {Count.LOST_KILLED: 2, Count.LOST_IO_ERROR: 1}
    assert (counters[Count.KEPT], counters[Count.ANSWERED], counters[Count.UNANSWERED]) == (8, 7, 4)
    assert counters[Count.ANSWERED] + counters[Count.UNANSWERED] == counters[Count.KEPT] + sum(lost.values())


@pytest.mark.parametrize("content", [b"", bytes(5000)])
def test_a_segment_created_and_never_written_leaves_nothing(
    make_writer: MakeWriter, counters: Counters, spool, content
) -> None:
    spool.mkdir()
    (spool / "edge-0.new.open").write_bytes(content)
    make_writer()
    assert sorted(path.name for path in spool.iterdir()) == ["lock"]
    assert counters[Count.QUARANTINED] == 0


def test_a_foreign_file_is_set_aside_and_counted(make_writer: MakeWriter, counters: Counters, spool) -> None:
    spool.mkdir()
    (spool / "notes.open").write_bytes(b"not a segment")
    make_writer()
    assert (spool / "notes.0-0.bad").read_bytes() == b"not a segment"
    assert counters[Count.QUARANTINED] == 1


def test_a_directory_belongs_to_one_writer(make_writer: MakeWriter, spool) -> None:
    writer = make_writer()
    with pytest.raises(SpoolInUseError) as raised:
        make_writer()
    assert raised.value.directory == spool
    writer.close()
    make_writer()


def test_a_directory_that_cannot_be_made_yet_is_tried_again(
    make_writer: MakeWriter, make_hit: MakeHit, clock, spool
) -> None:
    spool.write_bytes(b"in the way")
    writer = make_writer()
    assert keep(writer, make_hit(1)) is Count.LOST_IO_ERROR
    spool.unlink()
    clock.seconds += RETRY_SECONDS
    assert keep(writer, make_hit(2)) is Count.KEPT
    writer.close()
    assert stored(spool) == [2]


def test_segment_ids_carry_the_edge_and_are_never_used_twice(make_writer: MakeWriter, make_hit: MakeHit, spool) -> None:
    writer = make_writer(segment_bytes=1)
    for number in range(5):
        keep(writer, make_hit(number))
    ids = {read_segment(path).segment_id for path in sealed_segments(spool)}
    assert len(ids) == 5
    assert all(segment_id.startswith("edge-0.") for segment_id in ids)


def test_beyond_the_bound_the_oldest_segments_go_and_their_clicks_are_counted_as_dropped(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, spool
) -> None:
    writer = make_writer(segment_bytes=1, max_bytes=3000)
    for number in range(0, 40, 2):
        keep(writer, make_hit(number), make_hit(number + 1))
    left = stored(spool)
    assert sum(path.stat().st_size for path in sealed_segments(spool)) <= 3000
    assert left == list(range(40 - len(left), 40))
    assert counters[Count.DROPPED] == 40 - len(left) > 0
    assert counters[Count.KEPT] == 40
    assert not list(spool.glob("*.drop"))


def test_segments_are_not_looked_at_one_by_one_while_they_are_far_from_the_bound(
    make_writer: MakeWriter, make_hit: MakeHit, files, monkeypatch
) -> None:
    looked_at = []
    size = files.size
    monkeypatch.setattr(files, "size", lambda path: looked_at.append(path) or size(path))
    writer = make_writer(segment_bytes=1, max_bytes=1_000_000)
    for number in range(20):
        keep(writer, make_hit(number))
    assert len(looked_at) == 1  # at the first seal, when what lay there was not known


def test_what_is_known_of_waiting_segments_is_never_less_than_they_are(
    make_writer: MakeWriter, make_hit: MakeHit, spool
) -> None:
    writer = make_writer(segment_bytes=1, max_bytes=3000)
    for number in range(20):
        keep(writer, make_hit(number))
        assert writer._waiting_bytes_max == sum(path.stat().st_size for path in sealed_segments(spool))
    sealed_segments(spool)[0].unlink()  # the reader took one
    for number in range(20):
        keep(writer, make_hit(number))
        assert sum(path.stat().st_size for path in sealed_segments(spool)) <= writer._waiting_bytes_max <= 3000


def test_a_segment_killed_while_it_was_dropped_does_not_stay(make_writer: MakeWriter, spool) -> None:
    spool.mkdir()
    (spool / "edge-0.019cb7d4-0d59-7000-8000-000000000001.drop").write_bytes(b"counted already")
    make_writer()
    assert [path.name for path in spool.iterdir()] == ["lock"]


def test_without_a_bound_nothing_is_deleted(make_writer: MakeWriter, make_hit: MakeHit, spool) -> None:
    writer = make_writer(segment_bytes=1)
    for number in range(100):
        keep(writer, make_hit(number))
    assert stored(spool) == list(range(100))


def test_a_disk_that_deletes_nothing_keeps_its_segments_and_clicks_are_still_kept(
    make_writer: MakeWriter, make_hit: MakeHit, files, counters: Counters, spool
) -> None:
    writer = make_writer(segment_bytes=1, max_bytes=1)
    keep(writer, make_hit(1))
    files.fail["read"] = errno.EIO
    keep(writer, make_hit(2))
    del files.fail["read"]
    assert stored(spool) == [2]
    assert counters[Count.DROPPED] == 1


def test_hits_of_a_killed_writer_that_no_reader_was_answered_for_are_counted(
    make_writer: MakeWriter, make_hit: MakeHit, counters: Counters, spool
) -> None:
    writer = make_writer()
    keep(writer, make_hit(1), make_hit(2))
    counters.add(Count.ANSWERED, 2)
    writer.write([make_hit(3)])
    kill(writer)
    make_writer()
    assert stored(spool) == [1, 2, 3]
    assert (counters[Count.KEPT], counters[Count.UNANSWERED]) == (3, 1)
