import pytest

from waypost.events.location import UNKNOWN, Location, agreed, joined, location_of

LONDON = Location(
    country="GB", region="England", city="London", latitude=51.5142, longitude=-0.0931, time_zone="Europe/London"
)
NAMED_LONDON = {
    "country": {"iso_code": "GB", "names": {"en": "United Kingdom"}},
    "subdivisions": [
        {"iso_code": "ENG", "names": {"en": "England"}},
        {"iso_code": "LND", "names": {"en": "Greater London"}},
    ],
    "city": {"geoname_id": 2643743, "names": {"de": "Londinium", "en": "London"}},
    "location": {"accuracy_radius": 20, "latitude": 51.5142, "longitude": -0.0931, "time_zone": "Europe/London"},
    "registered_country": {"iso_code": "US"},
}

# One record of each schema, as its maker documents it.
SCHEMAS = {
    "MaxMind GeoLite2 City and GeoIP2 City": (NAMED_LONDON, LONDON),
    "MaxMind GeoLite2 Country": ({"country": {"iso_code": "GB"}, "continent": {"code": "EU"}}, Location(country="GB")),
    "MaxMind GeoLite2 ASN": (
        {"autonomous_system_number": 15169, "autonomous_system_organization": "GOOGLE"},
        Location(asn=15169, as_organisation="GOOGLE"),
    ),
    "DB-IP city lite: no time zone": (
        {
            "city": {"names": {"en": "Mountain View"}},
            "continent": {"code": "NA", "geoname_id": 6255149, "names": {"en": "North America"}},
            "country": {"geoname_id": 6252001, "is_in_european_union": False, "iso_code": "US"},
            "location": {"latitude": 37.422, "longitude": -122.085},
            "subdivisions": [{"names": {"en": "California"}}],
        },
        Location(country="US", region="California", city="Mountain View", latitude=37.422, longitude=-122.085),
    ),
    "DB-IP ISP": (
        {
            "country": {"iso_code": "US"},
            "traits": {"autonomous_system_number": 15169, "autonomous_system_organization": "Google LLC"},
        },
        Location(country="US", asn=15169, as_organisation="Google LLC"),
    ),
    "IPinfo lite": (
        {
            "asn": "AS15169",
            "as_domain": "google.com",
            "as_name": "Google LLC",
            "continent": "North America",
            "continent_code": "NA",
            "country": "United States",
            "country_code": "US",
        },
        Location(country="US", asn=15169, as_organisation="Google LLC"),
    ),
    "IPinfo country and ASN, the one before lite": (
        {
            "asn": "AS15169",
            "as_name": "Google LLC",
            "continent": "NA",
            "country": "US",
            "country_name": "United States",
        },
        Location(country="US", asn=15169, as_organisation="Google LLC"),
    ),
    "IPinfo location: coordinates as text": (
        {
            "city": "London",
            "country": "GB",
            "lat": "51.51420",
            "lng": "-0.09310",
            "region": "England",
            "timezone": "Europe/London",
        },
        LONDON,
    ),
    "IP2Location: what is unknown is a hyphen": (
        {
            "city": {"names": {"en": "-"}},
            "country": {"iso_code": "GB", "names": {"en": "United Kingdom"}},
            "location": {"latitude": 0.0, "longitude": 0.0, "time_zone": "+01:00"},
            "subdivisions": [{"names": {"en": "-"}}],
        },
        Location(country="GB"),
    ),
    "ip-location-db city: what is unknown is empty": (
        {
            "city": "London",
            "country_code": "GB",
            "latitude": 51.51420211791992,
            "longitude": -0.09309999644756317,
            "postcode": "",
            "state1": "England",
            "state2": "",
            "timezone": "",
        },
        Location(country="GB", region="England", city="London", latitude=51.5142, longitude=-0.0931),
    ),
    "ip-location-db country": ({"country_code": "GB"}, Location(country="GB")),
}


@pytest.mark.parametrize(("record", "expected"), SCHEMAS.values(), ids=SCHEMAS)
def test_every_common_schema_is_read(record, expected):
    assert location_of(record) == expected


@pytest.mark.parametrize(
    "record",
    [
        None,
        "GB",
        [],
        {},
        {"country": {"iso_code": "gb"}},
        {"country": {"iso_code": "EU"}, "continent": {"code": "EU"}},
        {"country_code": "ZZ"},
        {"country_code": 826},
        {"country": "United Kingdom"},
        {"registered_country": {"iso_code": "GB"}},
        {"represented_country": {"iso_code": "GB"}},
        {"subdivisions": []},
        {"subdivisions": {"0": 1}},
        {"city": {"names": {"de": "London"}}},
        {"location": {"latitude": 91, "longitude": 0.5}},
        {"location": {"latitude": 51.5}},
        {"location": {"latitude": "north", "longitude": "1"}},
        {"location": {"latitude": float("nan"), "longitude": 1.0}},
        {"location": {"time_zone": "+01:00"}},
        {"asn": "AS"},
        {"asn": "ASx"},
        {"asn": "AS99999999999999999999"},
        {"autonomous_system_number": -1},
        {"autonomous_system_number": 1 << 32},
    ],
)
def test_what_says_nothing_or_cannot_be_right_is_unknown(record):
    assert location_of(record) == UNKNOWN


def test_a_point_on_the_equator_is_a_point():
    record = {"country_code": "KE", "latitude": 0.0, "longitude": 37.9}
    assert location_of(record) == Location(country="KE", latitude=0.0, longitude=37.9)


def test_no_text_of_a_damaged_database_fills_the_store():
    assert location_of({"city": "x" * 100_000}).city == "x" * 128


def test_place_and_network_come_from_the_first_database_that_knows_them_and_are_not_mixed():
    paris = Location(country="FR", city="Paris", asn=1, as_organisation="one")
    country, network = Location(country="GB"), Location(asn=2, as_organisation="two")
    assert joined([country, paris, network]) == Location(country="GB", asn=1, as_organisation="one")
    assert joined([network, paris]) == Location(country="FR", city="Paris", asn=2, as_organisation="two")
    assert joined([]) == UNKNOWN


def test_of_a_network_only_what_holds_for_all_of_it_is_known():
    kent = Location(country="GB", region="England", city="Dover", asn=7)
    assert agreed([LONDON]) == LONDON
    assert agreed([LONDON, kent]) == Location(country="GB", region="England")
    assert agreed([LONDON, UNKNOWN]) == UNKNOWN
    assert agreed([]) == UNKNOWN


def test_places_of_one_name_in_two_countries_are_not_one_place():
    assert agreed([Location(country="US", city="Paris", asn=7), Location(country="FR", city="Paris", asn=7)]) == (
        Location(asn=7)
    )
