"""What each role may do."""

import pytest

from waypost.control.permissions import PERMISSIONS, scope
from waypost.db.states import Role


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        (Role.IAC, ["block", "erase", "manage"]),
        (Role.STANDARD, ["block", "erase", "read", "send"]),
        (Role.READ_ONLY, ["read"]),
        (Role.SEND_ONLY, ["send"]),
    ],
)
def test_a_role_has_these_scopes(role, scopes):
    assert scope(role) == scopes


def test_every_role_is_in_the_table():
    assert set(PERMISSIONS) == set(Role)
