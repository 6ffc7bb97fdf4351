"""What becomes of a profile, by the clock and the verdicts."""

from datetime import UTC, datetime, timedelta

import pytest

from waypost.control.verification.findings import Finding, RecordState, Verdict, verdict_of
from waypost.control.verification.records import Purpose
from waypost.control.verification.transitions import DISABLED_AFTER, TRANSITIONS, next_delay, next_state
from waypost.db.states import ProfileState

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
CREATING, PENDING, ACTIVE, DISABLED = (
    ProfileState.CREATING,
    ProfileState.PENDING,
    ProfileState.ACTIVE,
    ProfileState.DISABLED,
)
RIGHT, LOST, DOUBTFUL, UNKNOWN = Verdict.RIGHT, Verdict.LOST, Verdict.DOUBTFUL, Verdict.UNKNOWN


def finding(state, *, required=True, confirmed=False, purpose=Purpose.DKIM):
    return Finding(purpose=purpose, state=state, required=required, confirmed=confirmed)


VALID, MISSING, WRONG = RecordState.VALID, RecordState.MISSING, RecordState.WRONG


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([], RIGHT),
        ([finding(VALID)], RIGHT),
        ([finding(VALID), finding(MISSING, required=False, confirmed=True)], RIGHT),
        ([finding(VALID), finding(MISSING)], DOUBTFUL),
        ([finding(WRONG), finding(MISSING)], DOUBTFUL),
        ([finding(MISSING), finding(WRONG, confirmed=True)], LOST),
        ([finding(VALID), finding(RecordState.UNKNOWN)], UNKNOWN),
        ([finding(RecordState.UNKNOWN), finding(MISSING)], DOUBTFUL),
        ([finding(RecordState.UNKNOWN), finding(MISSING, confirmed=True)], LOST),
    ],
)
def test_a_verdict_follows_from_what_is_required_only(findings, verdict):
    assert verdict_of(findings) is verdict


def test_every_state_meets_every_verdict():
    assert set(TRANSITIONS) == {(state, verdict) for state in ProfileState for verdict in Verdict}


@pytest.mark.parametrize("state", list(ProfileState))
def test_everything_right_makes_any_profile_active(state):
    assert next_state(state, RIGHT, NOW - 100 * HOUR, NOW) is ACTIVE


@pytest.mark.parametrize(("verdict", "after"), [(LOST, PENDING), (DOUBTFUL, ACTIVE), (UNKNOWN, ACTIVE)])
def test_only_a_loss_that_two_servers_agree_on_takes_a_working_profile_down(verdict, after):
    assert next_state(ACTIVE, verdict, None, NOW) is after


@pytest.mark.parametrize("verdict", [LOST, DOUBTFUL])
def test_72_hours_pending_disable_a_profile(verdict):
    assert next_state(PENDING, verdict, NOW - DISABLED_AFTER + timedelta(seconds=1), NOW) is PENDING
    assert next_state(PENDING, verdict, NOW - DISABLED_AFTER, NOW) is DISABLED


def test_a_profile_is_not_disabled_while_nothing_can_be_seen():
    assert next_state(PENDING, UNKNOWN, NOW - 1000 * HOUR, NOW) is PENDING


def test_a_profile_that_never_was_active_stays_creating():
    for verdict in (LOST, DOUBTFUL, UNKNOWN):
        assert next_state(CREATING, verdict, None, NOW) is CREATING


def test_from_creation_over_loss_to_recovery_with_a_check_an_hour():
    steps = [
        (DOUBTFUL, CREATING),
        (UNKNOWN, CREATING),
        (RIGHT, ACTIVE),
        (UNKNOWN, ACTIVE),
        (DOUBTFUL, ACTIVE),
        (LOST, PENDING),
        (DOUBTFUL, PENDING),
        (RIGHT, ACTIVE),
        (LOST, PENDING),
        *[(LOST, PENDING)] * 71,
        (LOST, DISABLED),
        (UNKNOWN, DISABLED),
        (RIGHT, ACTIVE),
    ]
    state, lost_at, seen = CREATING, None, []
    for hour, (verdict, _) in enumerate(steps):
        now = NOW + hour * HOUR
        after = next_state(state, verdict, lost_at, now)
        lost_at = now if after is PENDING and state is not PENDING else None if after is ACTIVE else lost_at
        state = after
        seen.append((verdict, state))
    assert seen == steps


NO_TIME = timedelta(0)


def delay(state, verdict=DOUBTFUL, *, waited=NO_TIME, uncertified=None, chance=0.5):
    return next_delay(state, verdict, waited=waited, uncertified=uncertified, chance=chance).total_seconds()


@pytest.mark.parametrize(
    ("state", "verdict", "waited", "seconds"),
    [
        (CREATING, DOUBTFUL, 0, 15),
        (CREATING, DOUBTFUL, 60, 15),
        (CREATING, DOUBTFUL, 600, 150),
        (CREATING, UNKNOWN, 86_400, 3600),
        (PENDING, LOST, 0, 15),
        (PENDING, LOST, 86_400, 900),
        (ACTIVE, RIGHT, 5, 3600),
        (ACTIVE, RIGHT, 1_000_000, 3600),
        (ACTIVE, DOUBTFUL, 1_000_000, 300),
        (ACTIVE, UNKNOWN, 1_000_000, 300),
        (DISABLED, LOST, 10, 15),
        (DISABLED, LOST, 1_000_000, 86_400),
    ],
)
def test_the_longer_one_has_waited_the_rarer_it_is_looked_at(state, verdict, waited, seconds):
    assert delay(state, verdict, waited=timedelta(seconds=waited)) == pytest.approx(seconds)


def test_a_certificate_that_does_not_come_is_ordered_six_times_in_the_first_hour():
    """Let's Encrypt takes five failed orders an hour; the first visit may come before the edges know."""
    elapsed, visits = 5.0, 0
    while elapsed < 3600:
        visits += 1
        elapsed += delay(CREATING, uncertified=timedelta(seconds=elapsed))
    assert visits <= 6
    assert delay(CREATING, uncertified=timedelta(hours=10)) == 3600
    assert delay(PENDING, uncertified=timedelta(hours=10)) == 900


def test_checks_are_spread_by_a_fifth_either_way():
    assert delay(ACTIVE, RIGHT, chance=0) == pytest.approx(2880)
    assert delay(ACTIVE, RIGHT, chance=1) == pytest.approx(4320)
