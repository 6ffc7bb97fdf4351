"""From request headers to `Client`: ua-parser's rules, corrected where user agents are known not to mean what they say.

Loads the rules when constructed (0.3 s, 35 MB); pure afterwards.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from ua_parser import OS, Domain, UserAgent
from ua_parser.loaders import load_builtins
from ua_parser.regex import Resolver

from waypost.events.client import HINTS, UNKNOWN, Client, DeviceType, ImageProxy
from waypost.events.declared_bots import DeclaredBots
from waypost.events.hit import HitKind

# A cached answer and its key take about a kilobyte: 8 MB when full. A day of readers has a few thousand user agents.
_CACHE_ENTRIES: Final = 8192

# Who fetches images, by what it calls itself. Apple documents nothing; that its proxy sends this and nothing more has
# been seen since iOS 15, and no browser does.
_IMAGE_PROXIES: Final = (
    (re.compile(r"GoogleImageProxy"), Client(browser="GoogleImageProxy", image_proxy=ImageProxy.GOOGLE)),
    (re.compile(r"YahooMailProxy|YahooCacheSystem"), Client(browser="YahooMailProxy", image_proxy=ImageProxy.YAHOO)),
    (re.compile(r"\AMozilla/5\.0\Z"), Client(browser="Apple Mail Privacy Protection", image_proxy=ImageProxy.APPLE)),
)

# First match wins.
_DEVICE_TYPES: Final = (
    (
        DeviceType.TV,
        re.compile(
            r"Smart-?TV|SMART-?TV|HbbTV|Apple ?TV|Google ?TV|Android TV|BRAVIA|Web0S|CrKey|Roku|\bAFT[A-Z0-9]+\b"
        ),
    ),
    # Android browsers say Mobile on a phone and leave it out on a tablet. "Tablet PC" is a Windows feature of desktops.
    (DeviceType.TABLET, re.compile(r"iPad|Tablet(?! PC)|PlayBook|Android(?!.*Mobile).*Safari/")),
    (DeviceType.MOBILE, re.compile(r"iPhone|iphone|iPod|Mobile|Windows Phone|BlackBerry|Opera Mini|Outlook-Android")),
    (DeviceType.DESKTOP, re.compile(r"Windows NT|Mac OS X|CrOS|(?:X11|Linux)(?!.*Android)")),
)

# Versions frozen by browser makers: the newest system says the same. (family, version)
_FROZEN_SYSTEMS: Final = frozenset(
    {
        ("Windows", "10"),  # and 11, in every browser
        ("Mac OS X", "10.15"),  # Firefox
        ("Mac OS X", "10.15.7"),  # Chrome, Safari
        ("Chrome OS", "14541"),
    }
)
# Chrome's user-agent reduction: "Android 10; K" is any version on any device.
_REDUCED_ANDROID: Final = "; Android 10; K)"
# Safari from 26 on says iOS 18_6 or 18_7 whatever the system. (WebKit's release notes of Safari 26.0.)
_FROZEN_IOS: Final = re.compile(r"OS 18_[67]\b.* Version/(?:2[6-9]|[3-9]\d)\.")

# Families whose "version" is that of the WebKit inside.
_WEBKIT_VERSIONS: Final = frozenset({"Apple Mail"})

# Mail apps whose newer user agents ua-parser takes for the browser inside them, or for nothing. Named as it does.
_MAIL_APPS: Final = (
    (re.compile(r"Outlook-iOS/(\d+(?:\.\d+)*)"), "Outlook-iOS", "iOS"),
    (re.compile(r"Outlook-Android/(\d+(?:\.\d+)*)"), "Outlook-Android", "Android"),
    (re.compile(r"OneOutlook/(\d+(?:\.\d+)*)"), "Outlook", "Windows"),
)

# Brands in sec-ch-ua that the user agent hides behind Chrome's, and what to call them.
_BRANDS: Final = {
    "Brave": "Brave",
    "DuckDuckGo": "DuckDuckGo",
    "HeadlessChrome": "HeadlessChrome",
    "Microsoft Edge": "Edge",
    "Opera": "Opera",
    "Opera GX": "Opera GX",
    "Samsung Internet": "Samsung Internet",
    "Vivaldi": "Vivaldi",
}
# RFC 8941 lists of strings with parameters, as far as sec-ch-ua uses them.
_BRAND: Final = re.compile(r'"((?:[^"\\]|\\.)*)";\s*v="([^"]*)"')

# sec-ch-ua-platform, and ua-parser's name for it.
_PLATFORMS: Final = {
    "Android": "Android",
    "Chrome OS": "Chrome OS",
    "Chromium OS": "Chrome OS",
    "Linux": "Linux",
    "macOS": "Mac OS X",
    "Windows": "Windows",
    "iOS": "iOS",
}
# Windows says 10 in its user agent and its UniversalApiContract version in the hint; 13 is the first of Windows 11.
# https://learn.microsoft.com/microsoft-edge/web-platform/how-to-detect-win11
_WINDOWS_11_CONTRACT: Final = 13


class ClientParser:
    """Parses clients, remembering the newest answers. Safe to share between threads."""

    def __init__(self, cache_entries: int = _CACHE_ENTRIES) -> None:
        """Load the rules of ua-parser and the names of bots into its Rust engine."""
        self._resolver = Resolver(load_builtins())
        self._bots = DeclaredBots()
        self._cached = lru_cache(maxsize=cache_entries)(self._parse)

    def parse(self, kind: HitKind, headers: Mapping[str, str]) -> Client:
        """What `headers` (lower-case names) say of the client; unknown where they do not say it.

        An image proxy is looked for in opens only: it fetches images and follows no link.
        """
        hints = tuple([headers.get(name, "") for name in HINTS])
        return self._cached(headers.get("user-agent", ""), hints, is_image=kind is HitKind.OPEN)

    def _parse(self, user_agent: str, hints: tuple[str, ...], *, is_image: bool) -> Client:
        if is_image:
            for pattern, proxy in _IMAGE_PROXIES:
                if pattern.search(user_agent):
                    return proxy
        brands, full_versions, platform, platform_version, model, mobile = hints
        found = self._resolver(user_agent, Domain.ALL)
        is_spider = found.device is not None and found.device.family == "Spider"
        browser, browser_version = _browser(found.user_agent, brands, full_versions)
        os, os_version = _os(user_agent, found.os, _unquoted(platform), _unquoted(platform_version))
        if not browser.startswith("Outlook"):
            for pattern, app, system in _MAIL_APPS:
                if match := pattern.search(user_agent):
                    browser, browser_version = app, _without_zeros(match[1].split("."))
                    # "Outlook-Android/2.0" is no Android 2: that is the app's version.
                    os, os_version = system, "" if match[1].startswith(os_version) else os_version
        is_bot = is_spider or user_agent in self._bots or browser in self._bots
        is_reduced = _REDUCED_ANDROID in user_agent
        device = "" if found.device is None or is_spider or is_reduced else found.device.family
        return Client(
            browser=browser,
            browser_version=browser_version,
            os=os,
            os_version=os_version,
            device=_unquoted(model) or device,
            device_type=DeviceType.BOT if is_bot else _device_type(user_agent, mobile),
        )


def _browser(found: UserAgent | None, brands: str, full_versions: str) -> tuple[str, str]:
    named = dict(_BRAND.findall(brands) + _BRAND.findall(full_versions))
    for brand, family in _BRANDS.items():
        if brand in named:
            return family, _without_zeros(named[brand].split("."))
    if found is None:
        return "", ""
    if found.family in _WEBKIT_VERSIONS:
        return found.family, ""
    return found.family, _without_zeros([found.major, found.minor, found.patch])


def _os(user_agent: str, found: OS | None, platform: str, platform_version: str) -> tuple[str, str]:
    family = found.family if found else ""
    hinted = _PLATFORMS.get(platform, "")
    # Linux distributions are all "Linux" to the hint: the user agent knows better.
    if hinted and hinted not in (family, "Linux"):
        family, found = hinted, None
    if platform_version and hinted == family:
        return family, _hinted_version(family, platform_version)
    version = _without_zeros([found.major, found.minor, found.patch]) if found else ""
    is_frozen = (family, version) in _FROZEN_SYSTEMS or _REDUCED_ANDROID in user_agent or _FROZEN_IOS.search(user_agent)
    return family, "" if is_frozen else version


def _hinted_version(family: str, version: str) -> str:
    if family != "Windows":
        return _without_zeros(version.split("."))
    contract = version.partition(".")[0]
    if not contract.isdecimal() or contract == "0":
        return ""  # 0.1, 0.2, 0.3: Windows 7, 8 and 8.1, which the hint was never sent from in earnest
    return "11" if int(contract) >= _WINDOWS_11_CONTRACT else "10"


def _device_type(user_agent: str, mobile: str) -> DeviceType:
    for device_type, pattern in _DEVICE_TYPES:
        if pattern.search(user_agent):
            # A phone may pose as a desktop in its user agent; none poses as a phone in its hint.
            return DeviceType.MOBILE if device_type is DeviceType.DESKTOP and mobile == "?1" else device_type
    return DeviceType.MOBILE if mobile == "?1" else UNKNOWN.device_type


def _unquoted(hint: str) -> str:
    """The text of an RFC 8941 string, which is what these hints are."""
    return hint[1:-1] if len(hint) > 1 and hint[0] == hint[-1] == '"' else ""


def _without_zeros(parts: list[str] | list[str | None]) -> str:
    """A version without the zeros it ends in: most are fillers of a frozen user agent."""
    known = [part for part in parts if part]
    while len(known) > 1 and set(known[-1]) == {"0"}:
        known.pop()
    return ".".join(known)
