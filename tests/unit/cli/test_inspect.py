"""`waypost links inspect`: what a tracked link says, and whether it opens."""

import pytest
from click.testing import CliRunner

from waypost.cli.inspect import inspect
from waypost.events.ids import uuid7
from waypost.keyfile import create_keyring, keyring_path
from waypost.links.keyring import Keyring
from waypost.links.token import Kind, Payload, Privacy, seal
from waypost.links.url import click_url, open_url

DOMAIN = "links.example.com"
ORIGIN = f"https://{DOMAIN}"
SEND_ID = uuid7(1_717_372_800_123, bytes(10))
CLICK = Payload(Kind.CLICK, 3, 4, 7, "https://www.example.com/sale", SEND_ID)
OPEN = Payload(Kind.OPEN, 3, 4, privacy=Privacy.ANONYMOUS)


@pytest.fixture
def keyring(tmp_path):
    return create_keyring(keyring_path(tmp_path), randomness=lambda size: bytes(range(size)))


@pytest.fixture
def run(tmp_path):
    return lambda *arguments: CliRunner().invoke(inspect, arguments, env={"WAYPOST_DATA": str(tmp_path)})


def rows(result):
    return {line[:12].strip(): line[13:] for line in result.stdout.splitlines()}


def test_a_click_says_all_it_carries(run, keyring):
    result = run(click_url(ORIGIN, seal(CLICK, DOMAIN, keyring)) + "?fbclid=1")
    assert result.exit_code == 0
    assert rows(result) == {
        "link domain": DOMAIN,
        "version": "1",
        "key id": "1",
        "opens": "yes",
        "kind": "click",
        "account": "3",
        "profile": "4",
        "privacy": "identified",
        "ip policy": "full",
        "send id": str(SEND_ID),
        "send time": "2024-06-03T00:00:00.123+00:00",
        "link index": "7",
        "destination": "https://www.example.com/sale",
    }


def test_an_anonymous_open_says_no_send_and_no_link(run, keyring):
    result = run(open_url(ORIGIN, seal(OPEN, DOMAIN, keyring)))
    assert result.exit_code == 0
    assert rows(result)["kind"] == "open"
    assert not {"send id", "send time", "link index", "destination"} & rows(result).keys()


def test_a_keyring_file_may_be_named(run, keyring, tmp_path):
    copy = tmp_path / "copy.json"
    keyring_path(tmp_path).rename(copy)
    url = click_url(ORIGIN, seal(CLICK, DOMAIN, keyring))
    assert run(url).exit_code == 1
    assert run(url, "--keyring", str(copy)).exit_code == 0


SEAL = "it was altered, or sealed for another link domain or with another keyring (bad_seal)"
OTHER = Keyring.new(bytes(64)).add(bytes([2]) * 64).promote(2)


@pytest.mark.parametrize(
    ("make_url", "why"),
    [
        (lambda ring: click_url("https://other.example.com", seal(CLICK, DOMAIN, ring)), SEAL),
        (lambda ring: click_url(ORIGIN, seal(CLICK, DOMAIN, ring)[:-4] + "AAAA"), SEAL),
        (lambda _: click_url(ORIGIN, seal(CLICK, DOMAIN, OTHER.promote(1))), SEAL),
        (lambda _: click_url(ORIGIN, seal(CLICK, DOMAIN, OTHER)), "the keyring has no key 2 (unknown_key)"),
        (lambda ring: open_url(ORIGIN, seal(CLICK, DOMAIN, ring)), "a token of kind click, not open (malformed)"),
        (lambda _: click_url(ORIGIN, "AQ"), "too short (malformed)"),
    ],
)
def test_a_link_that_does_not_open_ends_with_1_and_says_why(run, keyring, make_url, why):
    result = run(make_url(keyring))
    assert result.exit_code == 1
    assert why in result.stderr
    assert "destination" not in result.output


@pytest.mark.parametrize("url", ["https://www.example.com/", "AQ", "https://links.example.com/c/"])
def test_what_is_no_tracked_link_is_wrong_usage(run, url):
    assert run(url).exit_code == 2
