import itertools
import logging
import tracemalloc

import pytest
from tests.descriptors import no_descriptor_left
from tests.mmdb import LONDON, NETWORK, PARIS, write_mmdb

from waypost.events.location import UNKNOWN, Location, location_of
from waypost.geoip import locator as locator_module
from waypost.geoip.locator import Locator
from waypost.geoip.state import State, read_state, write_state
from waypost.keyfile.file import file_stamp


def looking(*paths, **more):
    locator = Locator(paths, **more)
    locator.look()
    return locator


def test_place_and_network_come_from_two_files(tmp_path):
    city = write_mmdb(tmp_path / "city.mmdb", {"81.2.0.0/16": LONDON})
    asn = write_mmdb(tmp_path / "asn.mmdb", {"81.0.0.0/8": NETWORK})
    locator = looking(city, asn)
    assert locator.locate("81.2.69.142") == Location(
        country="GB",
        region="England",
        city="London",
        latitude=51.5142,
        longitude=-0.0931,
        time_zone="Europe/London",
        asn=20712,
        as_organisation="Andrews & Arnold Ltd",
    )
    assert locator.locate("81.9.9.9") == Location(asn=20712, as_organisation="Andrews & Arnold Ltd")


def test_addresses_of_one_place_and_network_share_the_location(tmp_path):
    """P4: the store works out the columns of a location once for all rows that have it."""
    city = write_mmdb(tmp_path / "city.mmdb", {"81.2.0.0/16": LONDON, "81.3.0.0/16": PARIS, "81.4.0.0/16": LONDON})
    locator = looking(city, write_mmdb(tmp_path / "asn.mmdb", {"81.0.0.0/8": NETWORK}))
    london = locator.locate("81.2.69.142")
    assert locator.locate("81.4.1.1") is london
    assert locator.locate("81.3.1.1").city == "Paris"


def test_networks_of_one_place_share_the_location_though_the_database_splits_them(tmp_path):
    halves = {f"9.9.{n}.{half}/25": LONDON for n in (8, 9) for half in (0, 128)}
    locator = looking(write_mmdb(tmp_path / "city.mmdb", halves))
    london = locator.locate("9.9.8.0")
    assert london == location_of(LONDON)
    assert locator.locate("9.9.9.0") is london


@pytest.mark.parametrize(("places", "most_bytes"), [(1, 200), (100_000, 500)], ids=["shared", "one for each address"])
def test_what_is_remembered_is_bounded_as_it_says(monkeypatch, places, most_bytes):
    entries = 2000
    monkeypatch.setattr(locator_module, "_CACHE_ENTRIES", entries)
    monkeypatch.setattr(locator_module, "_SHARED_MAX", entries // 4)
    numbers = itertools.count()

    def joined(_said):
        number = next(numbers) % places
        return Location("GB", f"Region number {number}", f"City number {number}", 51 + number / 1e5, number / 1e5)

    monkeypatch.setattr(locator_module, "joined", joined)
    locator = Locator([])
    tracemalloc.start()
    try:
        for number in range(3 * entries - 1):
            locator.locate(f"2a00:{number:x}::")
            assert tracemalloc.get_traced_memory()[0] < most_bytes * entries
    finally:
        tracemalloc.stop()


def test_addresses_asked_for_together_are_where_each_is_by_itself(tmp_path):
    city = write_mmdb(tmp_path / "city.mmdb", {"81.2.0.0/16": LONDON, "2a00:1450::/32": PARIS})
    asn = write_mmdb(tmp_path / "asn.mmdb", {"81.0.0.0/8": NETWORK}, ip_version=4)
    addresses = ["81.2.69.142", "", "2a00:1450::1", "81.9.9.9", "127.0.0.1", "81.2.69.142", "nonsense", "81.2.7.0"]
    each = [looking(city, asn).locate(address) for address in addresses]
    assert looking(city, asn).locate_all(addresses) == each
    assert [(location.city, location.asn) for location in each[:4]] == [
        ("London", 20712), ("", 0), ("Paris", 0), ("", 20712),
    ]  # fmt: skip


def test_what_is_remembered_is_bounded_and_forgetting_changes_no_place(tmp_path, monkeypatch):
    monkeypatch.setattr(locator_module, "_CACHE_ENTRIES", 3)
    locator = looking(write_mmdb(tmp_path / "city.mmdb", {"8.0.0.0/16": LONDON, "9.0.0.0/16": PARIS}))
    for _ in range(2):
        for last in range(5):
            found = locator.locate_all([f"8.0.0.{last + 1}", f"9.0.0.{last + 1}"])
            assert [each.city for each in found] == ["London", "Paris"]
            assert len(locator._located) <= 3


@pytest.mark.parametrize("address", ["", "127.0.0.1", "10.0.0.7", "fd00::1", "nonsense"])
def test_an_address_that_is_nowhere_stays_unknown_whatever_the_database_says(tmp_path, address):
    everywhere = write_mmdb(tmp_path / "d.mmdb", {"0.0.0.0/1": LONDON, "fc00::/7": LONDON})
    assert looking(everywhere).locate(address) == UNKNOWN


def test_a_replaced_file_is_used_and_nothing_that_was_remembered_of_the_old_one(tmp_path):
    path = write_mmdb(tmp_path / "d.mmdb", {"8.0.0.0/8": LONDON})
    locator = looking(path)
    assert locator.locate("8.8.8.8").country == "GB"

    write_mmdb(path, {"8.0.0.0/8": PARIS})
    assert locator.locate("8.8.8.8").country == "GB"
    assert locator.look() == 1
    assert locator.locate("8.8.8.8") == location_of(PARIS)
    assert locator.look() == 0


def test_a_file_that_cannot_be_used_or_goes_away_changes_nothing_and_is_said(tmp_path, caplog):
    path = write_mmdb(tmp_path / "d.mmdb", {"8.0.0.0/8": LONDON})
    states = []
    locator = looking(path, on_change=states.append)
    for spoil in (lambda: path.write_bytes(b"junk"), path.unlink):
        # As an update does: the old file stays whole for who has it mapped.
        path.rename(tmp_path / "before")
        path.write_bytes(b"")
        spoil()
        with caplog.at_level(logging.ERROR):
            assert locator.look() == 0
            assert locator.look() == 0
        assert locator.locate("8.8.8.8").country == "GB"
        (tmp_path / "before").rename(path)
        locator.look()
    good, junk, again, gone, once_more = [each[0].problem for each in states]
    assert (good, again, once_more) == ("", "", "")
    assert ("MaxMind DB format" in junk, gone) == (True, "it is not there")
    assert [record.message.endswith("the one before stays in use") for record in caplog.records] == [True, True]


def test_a_replaced_file_is_used_though_the_other_one_was_replaced_by_one_that_cannot_be(tmp_path, caplog):
    city = write_mmdb(tmp_path / "city.mmdb", {"8.0.0.0/8": LONDON})
    asn = write_mmdb(tmp_path / "asn.mmdb", {"8.0.0.0/8": NETWORK})
    states = []
    locator = looking(city, asn, on_change=states.append)
    assert locator.locate("8.8.8.8").city == "London"
    write_mmdb(city, {"8.0.0.0/8": PARIS})
    write_mmdb(asn, {"8.0.0.0/8": NETWORK}, built_at=1 << 60)
    assert [locator.look() for _ in range(3)] == [1, 0, 0]
    found = locator.locate("8.8.8.8")
    assert (found.city, found.asn) == ("Paris", 20712)
    [said] = [record.message for record in caplog.records]
    assert said.startswith(f"{asn} cannot be used: the time it was built at is none")
    assert [["built at" in each.problem for each in state] for state in states] == [[False, False], [False, True]]


def test_nothing_is_remembered_of_a_replaced_file_even_if_the_look_at_the_next_one_fails(tmp_path, monkeypatch):
    city = write_mmdb(tmp_path / "city.mmdb", {"8.0.0.0/8": LONDON})
    locator = looking(city, write_mmdb(tmp_path / "asn.mmdb", {"8.0.0.0/8": NETWORK}))
    assert locator.locate("8.8.8.8").city == "London"
    write_mmdb(city, {"8.0.0.0/8": PARIS})

    def stamp(path):
        if path != city:
            raise MemoryError
        return file_stamp(path)

    monkeypatch.setattr("waypost.geoip.locator.file_stamp", stamp)
    with pytest.raises(MemoryError):
        locator.look()
    assert locator.locate("8.8.8.8").city == "Paris"


def test_a_file_that_could_not_be_read_is_tried_again_though_it_does_not_change_and_said_once(tmp_path, caplog):
    path = write_mmdb(tmp_path / "d.mmdb", {"8.0.0.0/8": LONDON})
    with no_descriptor_left():
        locator = looking(path)
        assert locator.look() == 0
    assert [record.message for record in caplog.records] == [f"{path} cannot be used: Too many open files"]
    assert not locator.is_ready
    assert locator.look() == 1
    assert locator.locate("8.8.8.8").country == "GB"
    assert locator.look() == 0


def test_without_a_file_nothing_is_known_until_one_comes(tmp_path):
    path = tmp_path / "later" / "d.mmdb"
    states = []
    locator = looking(path, on_change=states.append)
    assert not locator.is_ready
    assert locator.locate("8.8.8.8") == UNKNOWN
    assert [(each.problem, each.built_at) for each in states[0]] == [("it is not there", None)]

    write_mmdb(path, {"8.0.0.0/8": LONDON})
    locator.look()
    assert locator.is_ready
    assert locator.locate("8.8.8.8").country == "GB"
    assert [each.problem for each in states[1]] == [""]


def test_what_is_in_use_is_read_back_as_it_was_written(tmp_path):
    states = []
    looking(write_mmdb(tmp_path / "d.mmdb", {"8.0.0.0/8": LONDON}), tmp_path / "none", on_change=states.append)
    assert read_state(tmp_path) is None
    state = State(databases=states[0], stale_days=62)
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state
    assert [each.problem for each in state.databases] == ["", "it is not there"]
