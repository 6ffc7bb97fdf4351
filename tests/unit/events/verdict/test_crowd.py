from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.events.verdict.hits import ELSEWHERE, HOME, SAFARI, hit

from waypost.events.verdict import recipients_at_once
from waypost.events.verdict.crowding import crowded


def sends(*hits):
    return [(UUID(int=1000 + number), each) for number, each in enumerate(hits)]


def test_one_client_at_many_recipients_links_is_counted_by_recipient():
    hits = sends(*(hit(100 + n, n) for n in range(5)))
    hits.append((hits[0][0], hit(101, 9)))
    assert set(recipients_at_once(hits).values()) == {5}


def test_another_address_or_browser_is_another_client():
    counts = recipients_at_once(sends(hit(100, 0), hit(100, 1, address=ELSEWHERE), hit(100, 2, headers=SAFARI)))
    assert set(counts.values()) == {1}


def test_more_than_ten_seconds_apart_is_not_at_once():
    counts = recipients_at_once(sends(hit(100, 0), hit(110, 1), hit(120.1, 2)))
    assert list(counts.values()) == [2, 2, 1]


def test_an_address_that_was_not_kept_is_no_client():
    assert recipients_at_once(sends(hit(100, 0, address=""), hit(100, 1, address=""))) == {}


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3), st.sampled_from([HOME, ELSEWHERE])), max_size=30))
def test_counting_agrees_with_looking_at_every_pair(drawn):
    hits = [(UUID(int=send), hit(at, n, address=address)) for n, (at, send, address) in enumerate(drawn)]
    expected = {
        one.event_id: len(
            {
                send
                for send, other in hits
                if other.client_address == one.client_address
                and abs((other.occurred_at - one.occurred_at).total_seconds()) <= 10
            }
        )
        for _, one in hits
    }
    assert recipients_at_once(hits) == expected


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 4)), max_size=30),
    st.integers(1, 30),
    st.integers(2, 4),
)
def test_crowding_agrees_with_looking_at_every_window(drawn, seconds, limit):
    items = sorted((at, value, number) for number, (at, value) in enumerate(drawn))
    found = crowded(items, [item[0] for item in items], [item[1] for item in items], seconds=seconds, limit=limit)
    expected = set()
    for start, *_ in items:
        window = [item for item in items if start <= item[0] <= start + seconds]
        if len({value for _, value, _ in window}) >= limit:
            expected |= set(window)
    assert Counter(found) == Counter(expected)
