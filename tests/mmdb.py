"""Small databases of places, built by a library of another hand than the one that reads them."""

import time
from unittest.mock import patch

from mmdb_writer import MMDBWriter, TreeWriter
from netaddr import IPSet

LONDON = {
    "country": {"iso_code": "GB", "names": {"en": "United Kingdom"}},
    "subdivisions": [{"iso_code": "ENG", "names": {"en": "England", "de": "England"}}],
    "city": {"names": {"en": "London", "de": "London"}},
    "location": {"latitude": 51.5142, "longitude": -0.0931, "time_zone": "Europe/London"},
}
PARIS = {
    "country": {"iso_code": "FR"},
    "subdivisions": [{"names": {"en": "Île-de-France"}}],
    "city": {"names": {"en": "Paris"}},
    "location": {"latitude": 48.8534, "longitude": 2.3488, "time_zone": "Europe/Paris"},
}
NETWORK = {"autonomous_system_number": 20712, "autonomous_system_organization": "Andrews & Arnold Ltd"}


def write_mmdb(path, records, *, kind="Test-City", ip_version=6, built_at=None, record_bits=24):
    """A database of `records`, by network; returns its path.

    `built_at`: seconds since 1970, now if not given; `record_bits`: 24, 28 or 32, where the writer takes the smallest.
    """
    writer = MMDBWriter(ip_version, kind, languages=["en"], description="a test's", ipv4_compatible=ip_version == 6)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    # The writer stamps the file with the time it is written at.
    with (
        patch("mmdb_writer.time.time", return_value=built_at or time.time()),
        patch.object(TreeWriter, "_adjust_record_size", lambda tree: setattr(tree, "record_size", record_bits)),
    ):
        writer.to_db_file(str(unfinished))
    unfinished.replace(path)
    return path
