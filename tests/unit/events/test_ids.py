"""Identifiers: their parts are where RFC 9562 has them, and no randomness is used twice."""

import itertools
import os
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waypost.events.ids import Randomness, uuid7
from waypost.links.ids import uuid_of


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=12))
def test_a_version_7_uuid_has_its_time_and_the_randomness_it_was_given(unix_ms, randomness):
    made = uuid7(unix_ms, randomness)
    number = made.int
    assert made.version == 7
    assert number >> 62 & 0b11 == 0b10
    assert number >> 80 == unix_ms
    given_bits = int.from_bytes(randomness[:10])
    assert number >> 64 & 0xFFF == given_bits >> 68
    assert number & (1 << 62) - 1 == given_bits & (1 << 62) - 1
    assert made == UUID(bytes=made.bytes)


@given(st.binary(max_size=20))
def test_bytes_are_a_uuid_or_refused_as_by_uuid_itself(data):
    if len(data) == 16:
        assert uuid_of(data) == UUID(bytes=data)
    else:
        with pytest.raises(ValueError, match="no UUID"):
            uuid_of(data)


def test_no_randomness_is_given_twice():
    drawn = []

    def source(count):
        drawn.append(os.urandom(count))
        return drawn[-1]

    randomness = Randomness(source)
    given_out = [randomness(10) for _ in range(1_000)]
    whole = [piece[at : at + 10] for piece in drawn for at in range(0, len(piece) - 9, 10)]
    assert given_out == whole[:1_000]
    assert len(drawn) < 4


def test_pieces_of_any_size_are_whole():
    randomness = Randomness(os.urandom)
    for count in itertools.chain(range(200), [4_096, 4_096, 1]):
        assert len(randomness(count)) == count
