import time

import pytest
from click.testing import CliRunner
from tests.mmdb import LONDON, NETWORK, write_mmdb

from waypost.cli.main import main


@pytest.fixture
def run(tmp_path, monkeypatch):
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("WAYPOST_DATA", str(data))

    def run(*arguments):
        return CliRunner().invoke(main, ["geoip", *arguments])

    return run


@pytest.fixture
def sources(mirror, tmp_path, monkeypatch):
    for name, records in (("city", {"8.0.0.0/8": LONDON}), ("asn", {"8.0.0.0/7": NETWORK})):
        path = write_mmdb(tmp_path / f"{name}.mmdb", records, kind=f"Test-{name}")
        mirror.files[f"/{name}"] = (200, {"ETag": '"1"'}, path.read_bytes())
    monkeypatch.setenv("WAYPOST_GEOIP__SOURCES", f"{mirror.url}/city, {mirror.url}/asn")


@pytest.mark.usefixtures("sources")
def test_update_fetches_both_databases_and_status_shows_them(run, tmp_path):
    updated = run("update")
    assert (updated.exit_code, updated.output.count(": new at http://127.0.0.1")) == (0, 2), updated.output
    assert "IP geolocation by DB-IP, https://db-ip.com (CC BY 4.0)" in updated.output
    assert run("update").output.count("nothing newer") == 2

    shown = run("status", "8.8.8.8", "9.9.9.9", "1.1.1.1", "127.0.0.1")
    assert shown.exit_code == 0
    assert f"{tmp_path}/data/geoip/city.mmdb: Test-city (a test's), built " in shown.output
    assert "8.8.8.8: GB; England; London; 51.5142, -0.0931; Europe/London; AS20712 Andrews & Arnold Ltd" in shown.output
    assert "9.9.9.9: AS20712 Andrews & Arnold Ltd\n" in shown.output
    assert "1.1.1.1: unknown: no database knows it" in shown.output
    assert "127.0.0.1: unknown: not a public IP address" in shown.output


@pytest.mark.usefixtures("sources")
def test_one_source_that_fails_does_not_keep_the_other_from_being_fetched(run, mirror, tmp_path):
    del mirror.files["/city"]
    updated = run("update")
    assert updated.exit_code == 1
    assert f"city.mmdb: {mirror.url}/city: the answer is 404 Not Found" in updated.output
    assert (tmp_path / "data" / "geoip" / "asn.mmdb").exists()


def test_status_says_what_is_missing_and_what_is_old(run, tmp_path):
    missing = run("status")
    assert missing.exit_code == 1
    assert "city.mmdb cannot be used: it is not there. `waypost geoip update` fetches it." in missing.output
    for name in ("city", "asn"):
        path = tmp_path / "data" / "geoip" / f"{name}.mmdb"
        write_mmdb(path, {"8.0.0.0/8": LONDON}, built_at=time.time() - 63 * 86_400)
    old = run("status")
    assert (old.exit_code, old.output.count("It is old: 63 days, and geoip.stale_days is 62.")) == (1, 2)


def test_sources_that_do_not_match_the_databases_are_a_wrong_setting(run, monkeypatch):
    monkeypatch.setenv("WAYPOST_GEOIP__SOURCES", "http://127.0.0.1:1/city")
    result = run("update")
    assert (result.exit_code, "names 2 files, and geoip.sources 1 places" in result.output) == (2, True)


def test_update_makes_no_second_data_directory(run, monkeypatch, tmp_path):
    monkeypatch.setenv("WAYPOST_DATA", str(tmp_path / "mistyped"))
    result = run("update")
    assert (result.exit_code, (tmp_path / "mistyped").exists()) == (1, False)
