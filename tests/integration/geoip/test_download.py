import fcntl
import gzip
import io
import os
import tarfile
from datetime import date

import pytest
from tests.mmdb import LONDON, PARIS, write_mmdb

from waypost.config import SecretUrl
from waypost.geoip.address import block_of
from waypost.geoip.database import Database
from waypost.geoip.download import fetch
from waypost.geoip.errors import DownloadFailed

TODAY = date(2026, 3, 5)


@pytest.fixture
def content(tmp_path):
    return write_mmdb(tmp_path / "elsewhere" / "d.mmdb", {"8.0.0.0/8": LONDON}).read_bytes()


def tar_gz(content, name="GeoLite2-City_20260303/GeoLite2-City.mmdb"):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for each, data in (("x/COPYRIGHT.txt", b"c"), (name, content)):
            member = tarfile.TarInfo(each)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return archive.getvalue()


def country_in(database):
    return database.locate([block_of("8.8.8.8")])[0].country


def country(path):
    return country_in(Database(path))


def get(url, path, today=TODAY):
    return fetch(SecretUrl(url), path, today=today)


@pytest.mark.parametrize("packed", [bytes, gzip.compress, tar_gz], ids=["plain", "gz", "tar.gz"])
def test_a_database_is_taken_however_it_is_packed(mirror, tmp_path, content, packed):
    mirror.files["/d"] = (200, {}, packed(content))
    path = tmp_path / "geoip" / "city.mmdb"
    fetched = get(f"{mirror.url}/d", path)
    assert (fetched.is_new, fetched.about.kind, fetched.about.path) == (True, "Test-City", str(path))
    assert path.read_bytes() == content
    assert sorted(each.name for each in path.parent.iterdir()) == ["city.mmdb", "city.mmdb.origin.json"]


def test_progress_is_told(mirror, tmp_path, content):
    mirror.files["/d"] = (200, {}, content)
    told = []
    fetch(SecretUrl(f"{mirror.url}/d"), tmp_path / "d.mmdb", today=TODAY, progress=lambda *each: told.append(each))
    assert told[-1] == (len(content), len(content))


def test_what_is_there_is_not_fetched_again(mirror, tmp_path, content):
    mirror.files["/d"] = (200, {"ETag": '"1"'}, content)
    path = tmp_path / "d.mmdb"
    assert get(f"{mirror.url}/d", path).is_new
    assert not get(f"{mirror.url}/d", path).is_new
    assert [headers.get("If-None-Match") for _, headers in mirror.asked] == [None, '"1"']

    path.unlink()
    assert get(f"{mirror.url}/d", path).is_new


def test_a_source_without_an_etag_is_asked_by_date(mirror, tmp_path, content):
    date_of_it = "Tue, 03 Mar 2026 10:00:00 GMT"
    mirror.files["/d"] = (200, {"Last-Modified": date_of_it}, content)
    for _ in range(2):
        get(f"{mirror.url}/d", tmp_path / "d.mmdb")
    assert [headers.get("If-Modified-Since") for _, headers in mirror.asked] == [None, date_of_it]


@pytest.mark.parametrize(
    ("there", "today", "asked"),
    [
        ("/d-2026-03", TODAY, ["/d-2026-03"]),
        ("/d-2026-02", TODAY, ["/d-2026-03", "/d-2026-02"]),
        ("/d-2025-12", date(2026, 1, 31), ["/d-2026-01", "/d-2025-12"]),
    ],
)
def test_a_month_that_is_not_there_yet_is_the_one_before(mirror, tmp_path, content, there, today, asked):
    mirror.files[there] = (200, {}, content)
    assert get(mirror.url + "/d-{year}-{month}", tmp_path / "d.mmdb", today).is_new
    assert [path for path, _ in mirror.asked] == asked


def test_a_month_that_may_not_be_had_yet_is_the_one_before(mirror, tmp_path, content):
    mirror.files |= {"/d-2026-03": (403, {}, b"no such key"), "/d-2026-02": (200, {}, content)}
    assert get(mirror.url + "/d-{year}-{month}", tmp_path / "d.mmdb").url == f"{mirror.url}/d-2026-02"


def test_a_password_goes_to_the_source_and_nowhere_else(mirror, tmp_path, content):
    mirror.files["/d"] = (302, {"Location": mirror.url.replace("127.0.0.1", "localhost") + "/stored"}, b"")
    mirror.files["/stored"] = (200, {}, content)
    url = mirror.url.replace("//", "//12345:se%2Fcret@") + "/d"
    fetched = get(url, tmp_path / "d.mmdb")
    assert [headers.get("Authorization") for _, headers in mirror.asked] == ["Basic MTIzNDU6c2UvY3JldA==", None]
    assert "cret" not in fetched.url + (tmp_path / "d.mmdb.origin.json").read_text()
    mirror.files.clear()
    with pytest.raises(DownloadFailed) as failure:
        get(url, tmp_path / "d.mmdb")
    assert "cret" not in str(failure.value)


def _cut(content):
    return (200, {"Content-Length": str(len(content)), "Connection": "close"}, content[: len(content) // 2])


BAD = {
    "gone": (lambda _: (404, {}, b""), "the answer is 404 Not Found"),
    "forbidden": (lambda _: (403, {}, b"no"), "the answer is 403"),
    "a login page": (lambda _: (200, {}, b"<html>"), "no database in the MaxMind DB format"),
    "empty": (lambda _: (200, {}, b""), "no database in the MaxMind DB format"),
    "no gzip behind its first bytes": (lambda _: (200, {}, b"\x1f\x8bxx"), "cannot be unpacked"),
    "gzip cut short": (lambda content: (200, {}, gzip.compress(content)[:-9]), "cannot be unpacked"),
    "an archive of other things": (lambda content: (200, {}, tar_gz(content, "x/readme")), "no .mmdb in the archive"),
    "a connection that ends early": (_cut, "could not be fetched"),
}


@pytest.mark.parametrize(("answer", "reason"), BAD.values(), ids=BAD)
def test_what_is_no_database_takes_the_place_of_none(mirror, tmp_path, content, answer, reason):
    path = write_mmdb(tmp_path / "geoip" / "city.mmdb", {"8.0.0.0/8": PARIS})
    mirror.files["/d"] = answer(content)
    with pytest.raises(DownloadFailed, match=reason):
        get(f"{mirror.url}/d", path)
    assert country(path) == "FR"
    assert [each.name for each in path.parent.iterdir()] == ["city.mmdb"]


def test_a_database_of_something_else_is_not_put_in_place(mirror, tmp_path):
    other = write_mmdb(tmp_path / "other.mmdb", {"8.0.0.0/8": {"threat": 1}}, kind="Test-Threats")
    mirror.files["/d"] = (200, {}, other.read_bytes())
    with pytest.raises(DownloadFailed, match="Test-Threats holds neither"):
        get(f"{mirror.url}/d", tmp_path / "d.mmdb")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/d", "ftp://127.0.0.1/d", "d.mmdb", "https:///d"])
def test_a_source_that_cannot_be_reached_is_named(tmp_path, url):
    with pytest.raises(DownloadFailed, match=r"could not be fetched|does not begin with https"):
        get(url, tmp_path / "d.mmdb")


def is_locked(directory):
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_while_it_is_fetched_others_may_change_files_beside_it_and_nobody_else_fetches_it(mirror, tmp_path, content):
    mirror.files["/d"] = (200, {}, content)
    locked = []

    def look(*_):
        locked.append((is_locked(tmp_path), is_locked(tmp_path / ".d.mmdb.fetched")))

    fetch(SecretUrl(f"{mirror.url}/d"), tmp_path / "d.mmdb", today=TODAY, progress=look)
    assert set(locked) == {(False, True)}
    assert not (tmp_path / ".d.mmdb.fetched").exists()


def test_what_a_crash_left_is_cleared_away(mirror, tmp_path, content):
    (tmp_path / ".d.mmdb.fetched").mkdir()
    (tmp_path / ".d.mmdb.fetched" / "half").write_bytes(b"half")
    mirror.files["/d"] = (200, {}, content)
    get(f"{mirror.url}/d", tmp_path / "d.mmdb")
    assert not (tmp_path / ".d.mmdb.fetched").exists()


def test_who_has_the_old_database_open_reads_on(mirror, tmp_path, content):
    path = write_mmdb(tmp_path / "d.mmdb", {"8.0.0.0/8": PARIS})
    old = Database(path)
    mirror.files["/d"] = (200, {}, content)
    get(f"{mirror.url}/d", path)
    assert (country_in(old), country(path)) == ("FR", "GB")
