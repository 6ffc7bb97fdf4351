"""Where a token stands in a URL, and how to read it back."""

import re
from dataclasses import dataclass
from typing import Final

from waypost.links.token import Kind

_CLICK: Final = "{origin}/c/{token}"
_OPEN: Final = "{origin}/o/{token}.gif"

_TRACKED: Final = re.compile(
    r"(?i:https?)://(?P<host>[A-Za-z0-9.-]+)(?::[0-9]{1,5})?"
    r"(?:/c/(?P<click>[A-Za-z0-9_-]+)|/o/(?P<open>[A-Za-z0-9_-]+)\.gif)"
    r"(?:[?#].*)?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class TrackedUrl:
    """A URL that has the shape of ours; whether its token opens is another question."""

    kind: Kind
    link_domain: str
    """Lower case, no port."""
    token: str


def click_url(origin: str, token: str) -> str:
    """The tracked link. `origin` is scheme and host, as `https://links.example.com`."""
    return _CLICK.format(origin=origin, token=token)


def open_url(origin: str, token: str) -> str:
    """The open pixel's address."""
    return _OPEN.format(origin=origin, token=token)


def parse_url(url: str) -> TrackedUrl | None:
    """The parts of a tracked link or open pixel; None for any other text.

    What clients append (`?fbclid=…`, a fragment) is ignored.
    """
    if not (match := _TRACKED.fullmatch(url)):
        return None
    kind = Kind.CLICK if match["click"] else Kind.OPEN
    return TrackedUrl(kind, match["host"].lower(), match["click"] or match["open"])
