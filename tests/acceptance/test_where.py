"""E1, where: an installation without a database says that it has none, gets one while it runs, and looks back."""

import json
from urllib.request import urlopen

import pytest
from demo import readers
from tests.acceptance.operator import eventually
from tests.integration.geoip.mirror import Mirror
from tests.mmdb import LONDON, NETWORK, write_mmdb

HTML = '<p><a href="https://www.shop.example/where">Your order</a></p>'
UNKNOWN = {"country": "", "region": "", "city": "", "latitude": None, "longitude": None, "time_zone": ""}
IN_LONDON = {
    "country": "GB",
    "region": "England",
    "city": "London",
    "latitude": 51.5142,
    "longitude": -0.0931,
    "time_zone": "Europe/London",
}


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    mirror = Mirror()
    for name, record in (("city", LONDON), ("asn", NETWORK)):
        path = write_mmdb(tmp_path / f"{name}.mmdb", {"81.2.69.0/24": record})
        mirror.files[f"/{name}"] = (200, {}, path.read_bytes())
    monkeypatch.setenv("WAYPOST_GEOIP__SOURCES", f"{mirror.url}/city,{mirror.url}/asn")
    yield mirror
    mirror.close()


def internal(installation, path):
    with urlopen(f"http://127.0.0.1:{installation.product.internal_port}{path}", timeout=60) as answer:
        return answer.read().decode()


def warnings(installation):
    return [each for each in json.loads(internal(installation, "/readyz"))["warnings"] if "geoip" in each]


def places(installation, send_id):
    return [event["geo"] for event in installation.clicks(send_id)]


@pytest.mark.usefixtures("mirror")
def test_a_reader_is_nowhere_without_a_database_and_in_london_with_one_then_and_before(installation):
    send_id, [link] = installation.send("where@inbox.example", HTML)
    # The edge takes this machine for a TLS front, and believes what it says of the client.
    reader = {"X-Forwarded-For": "81.2.69.142", "User-Agent": "Mozilla/5.0"}
    assert readers.request(link, "127.0.0.9", reader).status == 302
    eventually(lambda: places(installation, send_id) == [UNKNOWN])
    eventually(lambda: len(warnings(installation)) == 2)

    options = installation.product._options
    installation.product.command("geoip", "update", *options)
    eventually(lambda: warnings(installation) == [])
    assert 'waypost_geoip_database_age_seconds{database="' in internal(installation, "/metrics")
    assert readers.request(link, "127.0.0.9", reader).status == 302
    eventually(lambda: places(installation, send_id) == [UNKNOWN, IN_LONDON])
    assert readers.request(link, "127.0.0.9", {"User-Agent": "Mozilla/5.0"}).status == 302
    eventually(lambda: places(installation, send_id) == [UNKNOWN, IN_LONDON, UNKNOWN])

    said = installation.product.command("events", "enrich", *options[:2])
    assert said == "1 of 1 looked up, by client, location."
    assert places(installation, send_id) == [IN_LONDON, IN_LONDON, UNKNOWN]
