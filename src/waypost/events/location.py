"""Where a reader is, as far as a database of IP addresses says: one table reads the schemas of all common ones.

The databases share a format (MaxMind DB) and not a schema. MaxMind's GeoLite2 and GeoIP2, DB-IP's and IP2Location's
nest their fields and name places in several languages; IPinfo's and those of ip-location-db are flat; some write `-` or
an empty text for what they do not know, and coordinates as text.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import fields


class Location(Struct, frozen=True, gc=False):
    """A place on the map and in the network. Empty, 0 and None mean unknown: nothing here is guessed."""

    country: str = ""
    """ISO 3166-1 alpha-2: `GB`."""
    region: str = ""
    """Its largest part that the database names, in English: `England`."""
    city: str = ""
    latitude: float | None = None
    """Degrees, north positive; of the city or, where the database has nothing finer, of the country."""
    longitude: float | None = None
    time_zone: str = ""
    """A name of the IANA time zone database: `Europe/London`."""
    asn: int = 0
    """Number of the autonomous system that the address is routed by."""
    as_organisation: str = ""


UNKNOWN = Location()

# No text of a database is longer, but a damaged one may hold anything.
_TEXT_MAX: Final = 128
_NOTHING: Final = frozenset({"", "-", "N/A", "n/a", "Unknown", "unknown"})
_ASN_DIGITS: Final = len(str(1 << 32))
# Two letters that databases use for no country in particular: "somewhere in Europe", "an anonymous proxy".
_NO_COUNTRIES: Final = frozenset({"A1", "A2", "AP", "EU", "O1", "T1", "XX", "ZZ"})
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
# Not the offsets (`+01:00`) that some databases have in its place: they are those of one day.
_TIME_ZONE: Final = re.compile(r"UTC|[A-Z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+")


def _text(value: object) -> str | None:
    text = value.strip() if isinstance(value, str) else ""
    return None if text in _NOTHING else text[:_TEXT_MAX]


def _country(value: object) -> str | None:
    return value if isinstance(value, str) and _COUNTRY.fullmatch(value) and value not in _NO_COUNTRIES else None


def _time_zone(value: object) -> str | None:
    return value if isinstance(value, str) and _TIME_ZONE.fullmatch(value) else None


def _degrees(value: object, most: int) -> float | None:
    try:
        degrees = float(value) if isinstance(value, str | float | int) else math.nan
    except ValueError:
        return None
    # Four decimals are eleven metres, finer than any such database. NaN is not between.
    return round(degrees, 4) if -most <= degrees <= most else None


def _asn(value: object) -> int | None:
    """15169, or "AS15169"."""
    if isinstance(value, str):
        digits = value.removeprefix("AS")
        value = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _ASN_DIGITS else 0
    return value if isinstance(value, int) and 0 < value < 1 << 32 else None


Path = tuple[str | int, ...]
"""Keys, and indexes of lists, from the record down to a value."""

_Row = tuple[str, Callable[[Any], Any], Sequence[Path]]

# Field, how its value is read, and where it is found; the first place that says something counts.
PLACE: Final[Sequence[_Row]] = (
    ("country", _country, (("country", "iso_code"), ("country_code",), ("country",))),
    ("region", _text, (("subdivisions", 0, "names", "en"), ("region",), ("region_name",), ("state1",))),
    ("city", _text, (("city", "names", "en"), ("city",), ("city_name",))),
    ("latitude", lambda value: _degrees(value, 90), (("location", "latitude"), ("latitude",), ("lat",))),
    ("longitude", lambda value: _degrees(value, 180), (("location", "longitude"), ("longitude",), ("lng",))),
    ("time_zone", _time_zone, (("location", "time_zone"), ("timezone",), ("time_zone",))),
)
NETWORK: Final[Sequence[_Row]] = (
    ("asn", _asn, (("autonomous_system_number",), ("asn",), ("traits", "autonomous_system_number"))),
    (
        "as_organisation",
        _text,
        (("autonomous_system_organization",), ("as_name",), ("traits", "autonomous_system_organization")),
    ),
)

_PLACE_FIELDS: Final = tuple(name for name, _, _ in PLACE)


def location_of(record: object) -> Location:
    """What one record of a database says; unknown where it says nothing, or nothing that can be right."""
    found = {}
    for name, read, paths in (*PLACE, *NETWORK):
        for path in paths:
            value = read(_at(record, path))
            if value is not None:
                found[name] = value
                break
    # 0, 0 is a filler: nobody lives in the Gulf of Guinea. Half a point is none.
    if not ("latitude" in found and "longitude" in found and (found["latitude"] or found["longitude"])):
        found["latitude"] = found["longitude"] = None
    return Location(**found)


def joined(locations: Iterable[Location]) -> Location:
    """What several databases say of one address: the place of the first that knows one, the network likewise.

    Never the city of one and the country of another: they may disagree.
    """
    place, network = UNKNOWN, UNKNOWN
    for location in locations:
        if not place.country:
            place = location if location.country else place
        if not network.asn:
            network = location if location.asn else network
    if place is network or not (place.asn or network.asn):
        return place
    return Location(
        place.country,
        place.region,
        place.city,
        place.latitude,
        place.longitude,
        place.time_zone,
        network.asn,
        network.as_organisation,
    )


def agreed(locations: Sequence[Location]) -> Location:
    """What is true of all of several addresses: where they differ it is unknown. Empty: nothing is."""
    if not locations:
        return UNKNOWN
    first = locations[0]
    same = {
        field.name: value
        for field in fields(Location)
        if all(getattr(other, field.name) == (value := getattr(first, field.name)) for other in locations)
    }
    if "country" not in same:  # two places of one name in two countries are not one place
        same = {name: value for name, value in same.items() if name not in _PLACE_FIELDS}
    return Location(**same)


def _at(value: Any, path: Path) -> Any:  # noqa: ANN401 -- whatever a database holds
    for key in path:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return None
    return value
