"""What a reader reads with, as far as its request headers tell."""

from enum import StrEnum
from typing import Final

from msgspec import Struct


class DeviceType(StrEnum):
    """The kind of device, as the analysis API groups by it."""

    DESKTOP = "desktop"
    MOBILE = "mobile"
    TABLET = "tablet"
    TV = "tv"
    BOT = "bot"
    UNKNOWN = "unknown"


class ImageProxy(StrEnum):
    """A mailbox provider that fetches images in its readers' stead: it hides where and with what they read.

    Outlook.com and Microsoft 365 fetch images too, under user agents no different from a browser's: not to be told
    by headers, so not here.
    """

    GOOGLE = "google"
    YAHOO = "yahoo"
    APPLE = "apple"


class Client(Struct, frozen=True, gc=False):
    """A reader's software and device. Empty means unknown: nothing here is guessed."""

    browser: str = ""
    browser_version: str = ""
    os: str = ""
    os_version: str = ""
    device: str = ""
    """Family of the device: `iPhone`, `Samsung SM-S918B`."""
    device_type: DeviceType = DeviceType.UNKNOWN
    image_proxy: ImageProxy | None = None


UNKNOWN = Client()

HINTS: Final = (
    "sec-ch-ua",
    "sec-ch-ua-full-version-list",
    "sec-ch-ua-platform",
    "sec-ch-ua-platform-version",
    "sec-ch-ua-model",
    "sec-ch-ua-mobile",
)
"""Request headers that, with the user agent, say what a client is. https://wicg.github.io/ua-client-hints/"""
