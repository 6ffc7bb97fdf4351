"""Tracked URLs: written one way, read back tolerating what clients append."""

import pytest

from waypost.links.token import Kind
from waypost.links.url import TrackedUrl, click_url, open_url, parse_url

ORIGIN = "https://links.example.com"
CLICK = TrackedUrl(Kind.CLICK, "links.example.com", "AQ-_z")
OPEN = TrackedUrl(Kind.OPEN, "links.example.com", "AQ-_z")


def test_urls_are_as_documented():
    assert click_url(ORIGIN, "AQ-_z") == "https://links.example.com/c/AQ-_z"
    assert open_url(ORIGIN, "AQ-_z") == "https://links.example.com/o/AQ-_z.gif"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (click_url(ORIGIN, "AQ-_z"), CLICK),
        (open_url(ORIGIN, "AQ-_z"), OPEN),
        ("https://links.example.com/c/AQ-_z?fbclid=1&utm_source=x", CLICK),
        ("https://links.example.com/c/AQ-_z#top", CLICK),
        ("HTTPS://Links.Example.COM:443/c/AQ-_z", CLICK),
        ("http://localhost:8026/c/AQ", TrackedUrl(Kind.CLICK, "localhost", "AQ")),
    ],
)
def test_a_tracked_url_is_read(url, expected):
    assert parse_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "links.example.com/c/AQ",
        "ftp://links.example.com/c/AQ",
        "https://links.example.com/",
        "https://links.example.com/c/",
        "https://links.example.com/C/AQ",
        "https://links.example.com/c/AQ/more",
        "https://links.example.com/c/AQ.gif",
        "https://links.example.com/o/AQ",
        "https://links.example.com/o/AQ.GIF",
        "https://user@links.example.com/c/AQ",
        "https://links.example.com/c/A%51",
        " https://links.example.com/c/AQ",
        "https://links.example.com/c/AQ\n",
    ],
)
def test_another_url_is_not_ours(url):
    assert parse_url(url) is None
