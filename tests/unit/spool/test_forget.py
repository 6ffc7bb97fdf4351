"""What is set aside tells of nobody who was erased, and reads and counts as it did."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.pipeline.segments import of_version, seal
from tests.unit.store.rows import hit, send_id

from waypost.spool.errors import UnreadableSegmentError
from waypost.spool.forget import Forgotten, forget
from waypost.spool.framing import (
    SegmentHeader,
    decode_segment,
    encode_frame,
    encode_header,
    encode_trailer,
    frame_seed,
)

HERS, HIS = send_id(), send_id()
SECRETS = (b"198.51.100.73", b"Janesbrowser", b"jane@inbox.example", HERS.bytes)


HER_OWN = {
    "client_address": "198.51.100.73",
    "headers": {"user-agent": "Janesbrowser"},
    "destination": "https://shop.example/a?for=jane@inbox.example#x",
}


def of(send, **more):
    return hit(1, send, **(HER_OWN if send == HERS else {}) | more)


def erased(send):
    return send == HERS


def read(path):
    return decode_segment(path.read_bytes(), path.stem)


def outcome(path):
    """What a reader makes of it, but for what the records say: numbers, damage, how many there were."""
    try:
        segment = read(path)
    except UnreadableSegmentError as error:
        return [], error.reason, error.known
    return [number for number, _ in segment.records], segment.damaged, segment.known


def hits_of(path, send):
    return [each for each in read(path).records if each[1].send_id == send] if outcome(path)[0] else []


def test_records_of_an_erased_send_keep_their_number_and_what_counts_need(tmp_path):
    path = seal(tmp_path, [of(HIS), of(HERS, link_index=7), of(None)])
    before, size = read(path), path.stat().st_size

    assert forget(path, erased) == Forgotten(records=1)

    after = read(path)
    assert (path.stat().st_size, after.known, after.damaged) == (size, 3, [])
    assert [after.records[0], after.records[2]] == [before.records[0], before.records[2]]
    hers = before.records[1][1]
    assert after.records[1] == (
        1,
        msgspec.structs.replace(
            hers, send_id=None, client_address="", headers={}, destination="https://shop.example/a"
        ),
    )
    assert HIS.bytes in path.read_bytes()
    assert not any(each in path.read_bytes() for each in SECRETS)
    assert forget(path, erased) == Forgotten()


@given(length=st.integers(0, 700))
def test_whatever_is_taken_out_leaves_a_record_as_long_as_before(tmp_path_factory, length):
    path = seal(tmp_path_factory.mktemp("spool"), [of(HERS, headers={"user-agent": "J" * length}), of(HIS)])
    size = path.stat().st_size

    assert forget(path, erased).records == 1
    assert (path.stat().st_size, len(read(path).records), read(path).damaged) == (size, 2, [])


@given(data=st.data())
def test_what_no_record_can_be_read_of_is_blanked_and_is_the_same_damage_as_before(tmp_path_factory, data):
    path = seal(tmp_path_factory.mktemp("spool"), [of(HERS), of(HIS), of(HERS)])
    whole = path.read_bytes()
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    harm = data.draw(st.sampled_from([b"", b"\x01" * (end - start), b"damaged"]))
    path.write_bytes(whole[:start] + harm + whole[end:])
    before, his = outcome(path), hits_of(path, HIS)

    forget(path, erased)

    assert outcome(path) == before
    assert (hits_of(path, HIS), hits_of(path, HERS)) == (his, [])
    assert not any(each in path.read_bytes() for each in SECRETS)
    assert forget(path, erased) == Forgotten()


def of_a_later_release(send, **more):
    """A record that this release does not take for a hit: it knows no such outcome, nor the field."""
    fields = {"event_id": send_id().bytes, "outcome": "previewed", "portrait": "of jane", "send_id": send.bytes}
    return msgspec.msgpack.encode(fields | more)


def sealed_frames(folder, *payloads):
    name = f"edge-0.{send_id()}"
    seed = frame_seed(name)
    frames = [encode_frame(payload, number, seed) for number, payload in enumerate(payloads)]
    header = encode_header(SegmentHeader(segment_id=name, edge="edge-0", created_at=of(None).occurred_at))
    path = folder / f"{name}.seg"
    path.write_bytes(header + b"".join(frames) + encode_trailer(len(frames), seed))
    return path


def test_records_of_a_later_release_wait_for_it_but_for_those_of_an_erased_send(tmp_path):
    his = of_a_later_release(HIS, portrait="of john")
    path = sealed_frames(tmp_path, of_a_later_release(HERS), his)

    assert forget(path, erased) == Forgotten(records=1)
    assert b"jane" not in path.read_bytes()
    assert his in path.read_bytes()
    assert [each.reason for each in read(path).damaged] == ["payload", "payload"]


@pytest.mark.parametrize(
    "payload", [b"\x07jane", b"\xc1jane", msgspec.msgpack.encode({"send_id": "jane"}), msgspec.msgpack.encode(["jane"])]
)
def test_a_record_that_does_not_say_whose_it_is_is_blanked_and_keeps_its_number(tmp_path, payload):
    path = sealed_frames(tmp_path, of_a_later_release(HIS, portrait=""), payload)

    assert forget(path, erased).unreadable_bytes > len(payload)
    assert b"jane" not in path.read_bytes()
    assert (read(path).known, len(read(path).damaged)) == (2, 2)
    assert forget(path, erased) == Forgotten()


def test_a_segment_of_a_later_version_is_left_as_it_is(tmp_path):
    path = seal(tmp_path, [of(HERS)])
    later = of_version(2, path.read_bytes())
    path.write_bytes(later)

    with pytest.raises(UnreadableSegmentError, match="version"):
        forget(path, erased)
    assert path.read_bytes() == later
