"""List-Unsubscribe (RFC 2369) and its one-click form (RFC 8058)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from waypost.mime.errors import MalformedUnsubscribeError
from waypost.mime.header import structured
from waypost.mime.mailbox import Mailbox, mailbox

MAX_URI = 900
"""With the name of the field before it, its line stays under 998 bytes (RFC 5322, section 2.1.1)."""

# RFC 3986's characters: no white space and no "<" or ">", between which it stands (RFC 2369, section 2).
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_MAILTO = "mailto:"


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """How a reader gets off the list.

    Attributes:
        url: http or https, percent-encoded; empty for none.
        mailto: see `is_mailto()`; empty for none.
        one_click: mailbox providers unsubscribe by a POST to `url`, which must be https.

    Raises:
        MalformedUnsubscribeError: neither is given, one is no such URI, or one-click without https.
    """

    url: str = ""
    mailto: str = ""
    one_click: bool = False

    def __post_init__(self) -> None:
        sound = (
            (self.url or self.mailto)
            and (not self.url or is_web_uri(self.url))
            and (not self.mailto or is_mailto(self.mailto))
            and (not self.one_click or is_https(self.url))
        )
        if not sound:
            raise MalformedUnsubscribeError(f"not a way to unsubscribe: {self!r}")


def is_web_uri(value: str) -> bool:
    """Whether it is an http or https URI that fits on a line."""
    return value.lower().startswith(("http://", "https://")) and _is_uri(value)


def is_https(value: str) -> bool:
    """Whether its scheme is https, as one-click asks (RFC 8058, section 3.1)."""
    return value.lower().startswith("https://")


def is_mailto(value: str) -> bool:
    """Whether it is `mailto:`, one ASCII address, and perhaps `?subject=…` (RFC 6068), and fits on a line."""
    address, _, _ = value.removeprefix(_MAILTO).partition("?")
    return value.startswith(_MAILTO) and _is_uri(value) and isinstance(mailbox(address), Mailbox)


def unsubscribe_fields(unsubscribe: Unsubscribe) -> Iterator[str]:
    """The header fields, without their final CRLF."""
    ways = [f"<{way}>" for way in (unsubscribe.url, unsubscribe.mailto) if way]
    yield structured("List-Unsubscribe", [*(f"{way}," for way in ways[:-1]), ways[-1]])
    if unsubscribe.one_click:
        yield "List-Unsubscribe-Post: List-Unsubscribe=One-Click"


def _is_uri(value: str) -> bool:
    return len(value) <= MAX_URI and _URI.fullmatch(value) is not None
