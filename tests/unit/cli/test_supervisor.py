import pytest

from waypost.cli.supervisor import LONGEST_DELAY_SECONDS, restart_delay


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(1, 0.1), (2, 0.2), (3, 0.4), (6, 3.2), (7, LONGEST_DELAY_SECONDS), (5000, LONGEST_DELAY_SECONDS)],
)
def test_each_quick_death_in_a_row_waits_twice_as_long_up_to_a_bound(failures, seconds):
    assert restart_delay(failures) == pytest.approx(seconds)
