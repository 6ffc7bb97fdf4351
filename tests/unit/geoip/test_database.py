from datetime import UTC, datetime

import pytest
from tests.mmdb import LONDON, NETWORK, PARIS, write_mmdb

from waypost.events.location import UNKNOWN, Location, location_of
from waypost.geoip.address import block_of
from waypost.geoip.database import Database
from waypost.geoip.errors import DatabaseUnusable


def where(database, *addresses):
    found = database.locate([block_of(address) for address in addresses])
    return found if len(addresses) > 1 else found[0]


def test_an_address_is_where_the_database_says(tmp_path):
    database = Database(write_mmdb(tmp_path / "d.mmdb", {"81.2.69.0/24": LONDON, "2a00:1450::/32": PARIS}))
    assert where(database, "81.2.69.142") == location_of(LONDON)
    assert where(database, "2a00:1450::77") == location_of(PARIS)
    assert where(database, "81.2.70.1") == UNKNOWN


@pytest.mark.parametrize("ip_version", [4, 6])
def test_a_truncated_address_is_in_the_place_of_its_whole_network(tmp_path, ip_version):
    records = {"81.2.69.0/25": LONDON, "81.2.69.128/25": LONDON, "9.9.9.0/25": LONDON, "9.9.9.128/25": PARIS}
    records |= {"8.8.0.0/16": PARIS, "7.7.7.0/25": PARIS}
    database = Database(write_mmdb(tmp_path / "d.mmdb", records, ip_version=ip_version))
    assert where(database, "81.2.69.0") == location_of(LONDON)
    assert where(database, "8.8.8.0") == location_of(PARIS)
    assert where(database, "9.9.9.0") == UNKNOWN
    assert where(database, "7.7.7.0") == UNKNOWN


def test_of_a_network_that_is_split_within_a_country_the_country_is_known(tmp_path):
    other = {"country": {"iso_code": "GB"}, "city": {"names": {"en": "Leeds"}}}
    path = write_mmdb(tmp_path / "d.mmdb", {"2a00:1450:1::/49": LONDON, "2a00:1450:1:8000::/49": other})
    assert where(Database(path), "2a00:1450:1::") == Location(country="GB")


def test_a_network_split_into_many_parts_has_no_place(tmp_path):
    path = write_mmdb(tmp_path / "d.mmdb", {f"9.9.9.{n}/32": LONDON for n in range(0, 256, 2)})
    assert where(Database(path), "9.9.9.0") == UNKNOWN


def test_a_database_of_ipv4_knows_no_ipv6(tmp_path):
    database = Database(write_mmdb(tmp_path / "d.mmdb", {"8.0.0.0/8": LONDON}, ip_version=4))
    assert where(database, "2a00:1450::1") == UNKNOWN
    assert where(database, "8.8.8.8") == location_of(LONDON)


def test_a_database_says_what_it_is(tmp_path):
    path = write_mmdb(tmp_path / "d.mmdb", {"8.0.0.0/8": NETWORK}, kind="Test-ASN", built_at=1_800_000_000)
    about = Database(path).about
    assert (about.kind, about.description, about.size_bytes) == ("Test-ASN", "a test's", path.stat().st_size)
    assert about.built_at == datetime.fromtimestamp(1_800_000_000, UTC)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "it is not there"),
        (b"", "no database in the MaxMind DB format"),
        (b"<html>please log in</html>", "no database in the MaxMind DB format"),
    ],
)
def test_a_file_that_is_no_database_is_refused_with_the_reason(tmp_path, content, reason):
    path = tmp_path / "d.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DatabaseUnusable, match=reason):
        Database(path)


@pytest.mark.parametrize("built_at", [1 << 40, 1 << 60, (1 << 64) - 1])
def test_a_file_whose_build_time_is_none_is_refused_and_not_as_one_the_system_could_not_read(tmp_path, built_at):
    path = write_mmdb(tmp_path / "d.mmdb", {"8.0.0.0/8": LONDON}, built_at=built_at)
    with pytest.raises(DatabaseUnusable, match="the time it was built at is none") as refused:
        Database(path)
    assert not isinstance(refused.value.__cause__, OSError)


@pytest.mark.parametrize("records", [{}, {"8.0.0.0/8": {"threat": 9}}])
def test_a_database_without_places_or_networks_is_refused(tmp_path, records):
    database = Database(write_mmdb(tmp_path / "d.mmdb", records, kind="Test-Threats"))
    with pytest.raises(DatabaseUnusable, match="Test-Threats holds neither countries nor networks"):
        database.check()


def test_a_file_cut_short_is_refused(tmp_path):
    path = write_mmdb(tmp_path / "d.mmdb", {f"{n}.0.0.0/8": LONDON | {"n": n} for n in range(1, 100)})
    whole = path.read_bytes()
    marker = whole.rindex(b"\xab\xcd\xefMaxMind.com")
    path.write_bytes(whole[: marker // 3] + whole[marker:])
    with pytest.raises(DatabaseUnusable):
        Database(path).check()
