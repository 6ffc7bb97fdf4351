"""R14: what is tracked already is not tracked again."""

from uuid import UUID

import pytest

from waypost.db.link_policy import sending_policy
from waypost.links import Reason, plan
from waypost.links.keyring import Keyring
from waypost.links.token import Sealer
from waypost.links.url import click_url, open_url

KEYRING = Keyring.new(bytes(range(64)))
OTHERS = Keyring.new(bytes(range(1, 65)))
SEND_ID = UUID("0190f5fe-7c00-7a00-8000-0123456789ab")


def token(keyring=KEYRING):
    return Sealer(keyring, "links.example.com", account=1, profile=1).click(SEND_ID, 0, "https://example.net/")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (click_url("https://links.example.com", token()), Reason.ALREADY_TRACKED),
        (click_url("http://LINKS.example.com:8026", token()) + "?fbclid=1#x", Reason.ALREADY_TRACKED),
        pytest.param(click_url("https://links.example.org", token()), None, id="on a domain it was not sealed for"),
        pytest.param(click_url("https://links.example.com", token(OTHERS)), None, id="of another install"),
        pytest.param(open_url("https://links.example.com", token()), None, id="a click where opens are counted"),
        pytest.param(click_url("https://links.example.com", token()[:-1]), None, id="cut"),
        ("https://links.example.com/c/", None),
    ],
)
def test_only_a_link_of_this_install_that_opens_is_left_alone(url, reason):
    [link] = plan(f'<a href="{url}">x</a>', sending_policy(KEYRING)).links

    assert link.reason == reason
