"""Chance, and what is drawn with it: browsers, networks, messages, delays. One seed gives one world."""

import math
import random
from collections.abc import Sequence
from typing import Final, TypeVar

from msgspec import Struct

from waypost.testing.browsers import (
    ANDROID,
    IPAD,
    IPHONE,
    LINUX,
    MAC,
    WINDOWS,
    Headers,
    chromium,
    firefox,
    ios_app,
    safari,
)

T = TypeVar("T")


class Place(Struct, frozen=True):
    """An address, and who routes it as a database of networks names them; empty when it does not know."""

    address: str
    organisation: str = ""


HOMES: Final = ("Deutsche Telekom AG", "Comcast Cable Communications, LLC", "Orange S.A.", "Bharti Airtel Ltd.")
PHONES: Final = ("T-Mobile USA, Inc.", "Cellco Partnership DBA Verizon Wireless", "China Mobile Communications")
OFFICES: Final = ("Siemens AG", "University of Oslo", "Example Manufacturing Inc.", "ZSCALER, INC.")
CLOUDS: Final = ("AMAZON-02", "AMAZON-AES", "MICROSOFT-CORP-MSN-AS-BLOCK", "GOOGLE-CLOUD-PLATFORM")
SECURITY: Final = ("PROOFPOINT-ASN-US-EAST", "Mimecast Services Limited", "BARRACUDA-NETWORKS", "Trend Micro")
SERVERS: Final = ("OVH SAS", "Hetzner Online GmbH", "DIGITALOCEAN-ASN", "Example Hosting LLC")
TUNNELS: Final = ("Datacamp Limited", "M247 Europe SRL", "Leaseweb Deutschland GmbH")
RELAYS: Final = ("AKAMAI-ASN1", "CLOUDFLARENET", "FASTLY")

_LANGUAGES: Final = ("en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.8", "fr-FR,fr;q=0.9", "nb-NO,nb;q=0.9,no;q=0.8")
# Versions of Chrome; Firefox is two ahead, near enough.
_NEWEST: Final = 146
_OLDEST: Final = 91


class Draw:
    """Draws with a generator of its own."""

    def __init__(self, seed: int) -> None:
        """Anything that follows from `seed` is the same every time."""
        self.rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be unpredictable

    def chance(self, share: float) -> bool:
        """True so often."""
        return self.rng.random() < share

    def one(self, of: Sequence[T]) -> T:
        """One of several, each as likely."""
        return of[self.rng.randrange(len(of))]

    def between(self, low: float, high: float) -> float:
        """Any number from `low` to `high`."""
        return self.rng.uniform(low, high)

    def about(self, median: float, spread: float = 1.0) -> float:
        """Log-normal, as times between an event and a person's answer are."""
        return median * math.exp(self.rng.gauss(0, spread))

    def place(self, organisations: Sequence[str], *, known: float = 0.9) -> Place:
        """Somewhere with one of these operators, whose name the database has so often."""
        organisation = self.one(organisations) if self.chance(known) else ""
        if self.chance(0.25):
            return Place(f"2001:db8:{self.rng.randrange(65536):x}::{self.rng.randrange(1, 65536):x}", organisation)
        second, third, last = self.rng.randrange(256), self.rng.randrange(256), self.rng.randrange(1, 255)
        return Place(f"10.{second}.{third}.{last}", organisation)

    def home(self) -> Place:
        """At home, at work, on a phone."""
        return self.place(self.one((HOMES, HOMES, PHONES, OFFICES)))

    def language(self) -> str:
        """What a reader's browser asks for."""
        return self.one(_LANGUAGES)

    def browser(self) -> Headers:
        """A browser as people have it: the newest, mostly, and some that is years old."""
        age = int(abs(self.rng.gauss(0, 4))) if self.chance(0.95) else self.rng.randrange(10, 40)
        (make,) = self.rng.choices(list(_BROWSERS), list(_BROWSERS.values()))
        return make(self, max(_OLDEST, _NEWEST - age), self.language())

    def worn(self) -> Headers:
        """A browser whose name a scanner wears."""
        major = _NEWEST - self.rng.randrange(40)
        language = "en-US,en;q=0.9"
        if self.chance(0.15):
            return firefox(WINDOWS, major, language)
        return chromium(self.one((WINDOWS, WINDOWS, WINDOWS, MAC, LINUX)), major, language)


def _chrome(draw: Draw, major: int, language: str) -> Headers:
    return chromium(draw.one((WINDOWS, WINDOWS, MAC, LINUX)), major, language)


def _chrome_on_phone(_: Draw, major: int, language: str) -> Headers:
    return chromium(ANDROID, major, language)


def _edge(_: Draw, major: int, language: str) -> Headers:
    return chromium(WINDOWS, major, language, brand="Microsoft Edge", suffix=f" Edg/{major}.0.0.0")


def _firefox(draw: Draw, major: int, language: str) -> Headers:
    return firefox(draw.one((WINDOWS, LINUX)), major, language)


def _safari(draw: Draw, _: int, language: str) -> Headers:
    device = draw.one((IPHONE, IPHONE, IPHONE, IPAD, MAC))
    return safari(device, draw.one((26.3, 26.1, 18.6, 17.6)), language)


def _ios_app(draw: Draw, _: int, language: str) -> Headers:
    return ios_app(draw.one(("CriOS/146.0.7680.31", "FxiOS/148.0", "GSA/398.0", "EdgiOS/146.0")), language)


# Shares of twenty, about those of readers' browsers.
_BROWSERS: Final = {_chrome: 6, _chrome_on_phone: 5, _edge: 2, _firefox: 1, _safari: 5, _ios_app: 1}
