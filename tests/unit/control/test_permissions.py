"""What each role may do."""

import pytest

from waypost.control.permissions import MAY, PERMISSIONS, Permission, may, scope
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


def test_every_permission_is_put_into_words():
    assert set(MAY) == set(Permission)
    assert may(Role.READ_ONLY) == MAY[Permission.READ]
    assert "manage profiles, webhooks" in may(Role.IAC)
    assert "manage" not in may(Role.STANDARD)


def test_every_role_is_in_the_table():
    assert set(PERMISSIONS) == set(Role)
