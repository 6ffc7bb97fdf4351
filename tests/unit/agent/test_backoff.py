import pytest

from waypost.agent.backoff import FIRST_SECONDS, LONGEST_SECONDS, pause_seconds


def test_pauses_grow_to_a_limit_and_no_further_however_long_the_core_is_down():
    pauses = [pause_seconds(failures, None, 1.0) for failures in range(1, 10_000)]
    assert pauses[0] == FIRST_SECONDS
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_SECONDS


def test_edges_that_failed_together_do_not_come_back_together():
    assert pause_seconds(8, None, 0.0) == LONGEST_SECONDS / 2
    assert pause_seconds(8, 10, 0.0) != pause_seconds(8, 10, 0.9)


@pytest.mark.parametrize(("asked", "least"), [(0, 0.25), (7, 7), (10**9, 300)])
def test_the_core_is_left_alone_as_long_as_it_asks_for_within_reason(asked, least):
    assert pause_seconds(1, asked, 0.0) == least
