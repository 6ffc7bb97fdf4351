"""How often something may be tried."""

from datetime import UTC, datetime, timedelta

import pytest

from waypost.control.throttle import Rate, Throttle


class Clock:
    def __init__(self):
        self.now = datetime(2026, 3, 29, 1, 30, 15, 123456, UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def throttle(clock):
    return Throttle(Rate(3, timedelta(seconds=60)), clock, max_keys=4)


def used_up(throttle, key="a"):
    return [throttle.take(key) for _ in range(3)] == [0, 0, 0] and throttle.take(key) > 0


def test_as_many_as_the_rate_says_go_at_once_and_the_next_is_told_when(throttle):
    assert [throttle.take("a") for _ in range(4)] == [0, 0, 0, 20]


def test_one_comes_back_after_its_share_of_the_period_and_not_before(throttle, clock):
    assert used_up(throttle)
    clock.now += timedelta(seconds=19.9)
    assert throttle.take("a") == 1
    clock.now += timedelta(seconds=0.1)
    assert throttle.take("a") == 0
    assert throttle.take("a") == 20


def test_all_come_back_after_a_period_and_no_more_than_all(throttle, clock):
    assert used_up(throttle)
    clock.now += timedelta(days=1)
    assert used_up(throttle)


def test_a_refused_attempt_costs_nothing(throttle, clock):
    assert used_up(throttle)
    assert {throttle.take("a") for _ in range(100)} == {20}
    clock.now += timedelta(seconds=20)
    assert throttle.take("a") == 0


def test_what_is_given_back_can_be_taken_again(throttle):
    assert used_up(throttle)
    throttle.give_back("a")
    assert [throttle.take("a"), throttle.take("a")] == [0, 20]
    throttle.give_back("unknown")
    assert used_up(throttle, "unknown")


def test_keys_do_not_count_for_each_other(throttle):
    assert used_up(throttle, "a")
    assert used_up(throttle, "b")


def test_no_more_keys_are_kept_than_agreed_and_the_oldest_goes_first(throttle):
    for key in "abcd":
        assert used_up(throttle, key)
    for number in range(1000):
        throttle.take(f"flood {number}")
    assert len(throttle) == 4
    assert throttle.take("a") == 0


def test_a_clock_that_was_set_back_locks_nobody_out(throttle, clock):
    assert used_up(throttle)
    clock.now -= timedelta(days=365)
    assert used_up(throttle)
