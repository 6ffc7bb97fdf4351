from datetime import UTC, datetime, timedelta

import pytest

from waypost.mail.schedule import hold_until, retry_at

FIRST = datetime(2026, 2, 3, tzinfo=UTC)
DAY = 86_400


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(1, 15), (2, 60), (3, 300), (4, 900), (5, 1800), (6, 3600), (7, 7200), (8, 14_400), (9, 14_400), (1000, 14_400)],
)
def test_retries_grow_apart_to_four_hours(attempts, seconds):
    at = retry_at(
        FIRST, attempts=attempts, first_attempt_at=FIRST, give_up_seconds=5 * DAY, relay_down=False, chance=0.5
    )
    assert at == FIRST + timedelta(seconds=seconds)


@pytest.mark.parametrize(("chance", "seconds"), [(0, 240), (0.5, 300), (1, 360)])
def test_jitter_moves_a_retry_by_a_fifth_at_most(chance, seconds):
    at = retry_at(FIRST, attempts=3, first_attempt_at=FIRST, give_up_seconds=DAY, relay_down=False, chance=chance)
    assert at == FIRST + timedelta(seconds=seconds)


@pytest.mark.parametrize("attempts", [1, 5, 100])
def test_a_relay_that_is_down_is_asked_again_soon_however_often_it_was(attempts):
    at = retry_at(FIRST, attempts=attempts, first_attempt_at=FIRST, give_up_seconds=DAY, relay_down=True, chance=0.5)
    assert at == FIRST + timedelta(seconds=30)


@pytest.mark.parametrize("relay_down", [False, True])
@pytest.mark.parametrize(
    ("age_seconds", "expected_seconds"),
    [(DAY - 10, DAY), (DAY - 1, DAY), (DAY, None), (DAY + 1, None)],
    ids=["near the end", "nearer", "at the end", "past it"],
)
def test_the_last_attempt_is_at_the_end_of_the_period_and_none_after_it(relay_down, age_seconds, expected_seconds):
    at = retry_at(
        FIRST + timedelta(seconds=age_seconds),
        attempts=30,
        first_attempt_at=FIRST,
        give_up_seconds=DAY,
        relay_down=relay_down,
        chance=0.5,
    )
    assert at == (None if expected_seconds is None else FIRST + timedelta(seconds=expected_seconds))


def test_a_message_deferred_for_ever_is_tried_often_enough_and_then_given_up():
    """The whole life of a message over the default 5 days, as RFC 5321, section 4.5.4.1, describes it."""
    now, attempts = FIRST, 0
    while now is not None:
        attempts += 1
        last = now
        now = retry_at(
            now, attempts=attempts, first_attempt_at=FIRST, give_up_seconds=5 * DAY, relay_down=False, chance=0.5
        )
    assert last == FIRST + timedelta(days=5)
    assert attempts == 38


@pytest.mark.parametrize(("waited_seconds", "seconds"), [(0, 60), (30, 60), (120, 120), (900, 900), (30 * DAY, 900)])
def test_a_held_message_is_looked_at_less_and_less_down_to_every_quarter_of_an_hour(waited_seconds, seconds):
    now = FIRST + timedelta(seconds=waited_seconds)
    assert hold_until(now, held_since=FIRST, chance=0.5) == now + timedelta(seconds=seconds)
