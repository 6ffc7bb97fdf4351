"""Secrets do not show in what is printed: a log, a traceback, an assertion."""

import pytest

from waypost.control.accounts.schema import NewAccount, NewPassword
from waypost.control.oauth.schema import RefreshGrant, RefreshToken, Token
from waypost.control.oauth.service import Grant
from waypost.control.oauth.signing import _Key
from waypost.control.sources import SYSTEM

HIDDEN = "told-to-nobody"


@pytest.mark.parametrize(
    "holder",
    [
        Token(access_token=HIDDEN, refresh_token=HIDDEN, expires_in=1, expires_at=1, scope=[], Scope=[]),
        RefreshToken(refresh_token=HIDDEN),
        NewPassword(password=f"{HIDDEN}, ever"),
        NewAccount(name="n", email="a@shop.example", password=f"{HIDDEN}, ever"),
        RefreshGrant(refresh_token=HIDDEN),
        Grant(HIDDEN, HIDDEN, 1, SYSTEM.now(), []),
        _Key("k", HIDDEN.encode(), SYSTEM.now()),
    ],
    ids=lambda holder: type(holder).__name__,
)
def test_what_holds_a_secret_does_not_print_it(holder):
    assert HIDDEN not in repr(holder)
