"""Pseudonyms tell sends apart and lead to none."""

from uuid import UUID

from waypost.db import ControlKey
from waypost.db.pseudonym import pseudonym
from waypost.events.ids import uuid7, uuid7_unix_ms

KEY = ControlKey(b"k" * 32)
NOON = 1_772_366_400_000
SENDS = [uuid7(NOON + n, bytes([n]) * 10) for n in range(50)]


def test_each_send_has_one_of_its_own_that_is_the_same_each_time():
    names = [pseudonym(KEY, send_id) for send_id in SENDS]
    assert names == [pseudonym(KEY, send_id) for send_id in SENDS]
    assert len({*names, *SENDS}) == 2 * len(SENDS)


def test_its_time_is_the_day_of_the_send():
    assert {uuid7_unix_ms(pseudonym(KEY, send_id)) for send_id in SENDS} == {NOON // 86_400_000 * 86_400_000}


def test_it_can_stand_in_a_token():
    assert all(name.version == 7 and name.variant == UUID(int=SENDS[0].int).variant for name in SENDS)


def test_another_key_gives_another_one():
    assert pseudonym(ControlKey(b"o" * 32), SENDS[0]) != pseudonym(KEY, SENDS[0])
