"""What is counted against whom before a login."""

from datetime import UTC, datetime

import pytest

from waypost.control.errors import CredentialsInvalidError, TooManyAttemptsError
from waypost.control.limits import LOGINS_OF_ADDRESS, LOGINS_OF_KEY, SIGN_UPS, SIGN_UPS_OF_ADDRESS, Limits

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@pytest.fixture
def limits():
    return Limits(lambda: NOW)


def refused(limits, key="k", address="192.0.2.1", times=1):
    for _ in range(times):
        with pytest.raises(CredentialsInvalidError), limits.login(key, address):
            raise CredentialsInvalidError


def is_limited(limits, key="k", address="192.0.2.1"):
    try:
        with limits.login(key, address):
            return False
    except TooManyAttemptsError as error:
        return error.retry_after_seconds > 0


def test_refused_logins_of_a_key_from_an_address_are_counted(limits):
    refused(limits, times=LOGINS_OF_KEY.attempts)
    assert is_limited(limits)


def test_a_key_is_not_locked_for_its_owner_elsewhere_nor_another_key_here(limits):
    refused(limits, times=LOGINS_OF_KEY.attempts)
    assert not is_limited(limits, address="192.0.2.2")
    assert not is_limited(limits, key="other")


def test_an_address_that_tries_many_keys_is_limited_for_all_of_them(limits):
    for number in range(LOGINS_OF_ADDRESS.attempts):
        refused(limits, key=str(number))
    assert is_limited(limits, key="another")
    assert not is_limited(limits, key="another", address="192.0.2.2")


def test_good_logins_and_faults_of_ours_are_not_counted(limits):
    for _ in range(LOGINS_OF_ADDRESS.attempts + 1):
        assert not is_limited(limits)
        with pytest.raises(ZeroDivisionError), limits.login("k", "192.0.2.1"):
            raise ZeroDivisionError


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("", "", True),
    ],
)
def test_an_ipv6_client_is_its_network_and_a_mapped_address_the_ipv4_one(limits, one, other, same):
    refused(limits, address=one, times=LOGINS_OF_KEY.attempts)
    assert is_limited(limits, address=other) is same


def test_new_accounts_are_limited_by_address_and_altogether(limits):
    for _ in range(SIGN_UPS_OF_ADDRESS.attempts):
        limits.sign_up("192.0.2.1")
    with pytest.raises(TooManyAttemptsError):
        limits.sign_up("192.0.2.1")
    for number in range(SIGN_UPS.attempts - SIGN_UPS_OF_ADDRESS.attempts):
        limits.sign_up(f"198.51.100.{number}")
    with pytest.raises(TooManyAttemptsError):
        limits.sign_up("203.0.113.1")


def test_what_a_client_calls_itself_fills_no_memory(limits):
    for number in range(10 * LOGINS_OF_ADDRESS.attempts):
        with pytest.raises((CredentialsInvalidError, TooManyAttemptsError)), limits.login(f"{number}" * 10_000, "::1"):
            raise CredentialsInvalidError
    kept = limits._logins_of_key._used_up_until
    assert len(kept) <= LOGINS_OF_ADDRESS.attempts
    assert max(map(len, kept)) < 400
