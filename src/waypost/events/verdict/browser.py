"""What a browser of some version always sends: Fetch Metadata (https://www.w3.org/TR/fetch-metadata/).

Versions are those of MDN's browser-compat-data (`http.headers.Sec-Fetch-Dest`, the last of the three to come).
"""

import re
from enum import StrEnum
from functools import lru_cache
from typing import Final

from msgspec import Struct

_REMEMBERED: Final = 8192


class Engine(StrEnum):
    """What a browser is made of, which decides about its headers."""

    CHROMIUM = "chromium"
    GECKO = "gecko"
    WEBKIT = "webkit"
    OTHER = "other"

    # An enum's own takes a function call in Python.
    __hash__ = str.__hash__


class Browser(Struct, frozen=True, gc=False):
    """A browser as its user agent has it."""

    engine: Engine
    sends_fetch_metadata: bool
    """To every HTTPS server, with every request."""
    outdated: bool
    """Older than the versions that do, on a system where it replaces itself by a new one every few weeks."""


_OTHER: Final = Browser(Engine.OTHER, sends_fetch_metadata=False, outdated=False)
# Every other browser for iOS, and the pages that apps show.
_UNVERSIONED_WEBKIT: Final = Browser(Engine.WEBKIT, sends_fetch_metadata=False, outdated=False)
_APPS_WEBKIT: Final = re.compile(r"\AMozilla/5\.0 \((?:iPhone|iPad|Macintosh);.*AppleWebKit/6")

_CHROMIUM: Final = re.compile(r"\AMozilla/5\.0 \(.*(?:Chrome|Chromium)/([0-9]{1,4})\.")
_GECKO: Final = re.compile(r"\AMozilla/5\.0 \(.*rv:[0-9.]+\) Gecko/[0-9.]+ Firefox/([0-9]{1,4})\.")
_WEBKIT: Final = re.compile(r"\AMozilla/5\.0 \(.*AppleWebKit/.* Version/([0-9]{1,3})\.([0-9]{1,3}).* Safari/")
_CHROMIUM_SENDS: Final = 80
_GECKO_SENDS: Final = 90
_WEBKIT_SENDS: Final = (16, 4)
# Old phones and televisions keep the browser they were sold with. These systems do not; Chrome's last for Windows 7 and
# 8, which say 6.x here, was 109.
_RENEWS_ITSELF: Final = "(Windows NT 10.0"


@lru_cache(maxsize=_REMEMBERED)
def browser_of(user_agent: str) -> Browser:
    """The browser that a user agent says it is."""
    if match := _CHROMIUM.match(user_agent):
        sends = int(match[1]) >= _CHROMIUM_SENDS
        return Browser(Engine.CHROMIUM, sends, outdated=not sends and _RENEWS_ITSELF in user_agent)
    if match := _GECKO.match(user_agent):
        sends = int(match[1]) >= _GECKO_SENDS
        return Browser(Engine.GECKO, sends, outdated=not sends and _RENEWS_ITSELF in user_agent)
    if match := _WEBKIT.match(user_agent):
        return Browser(Engine.WEBKIT, (int(match[1]), int(match[2])) >= _WEBKIT_SENDS, outdated=False)
    return _UNVERSIONED_WEBKIT if _APPS_WEBKIT.match(user_agent) else _OTHER
