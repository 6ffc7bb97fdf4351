"""L5, HTTPS by itself, and S7, certificates only for known names: the shipped front, a real edge, a real authority.

There is no control plane in these tests: all of it works while the core is down.
"""

import json
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from torture.front import Authority, CaddyFront, Site, publish, wait_for
from torture.processes import free_ports

from waypost.cli.caddyfile import Front, caddyfile_of
from waypost.config import load
from waypost.links.token import Sealer
from waypost.spool import read_segment, sealed_segments

from .conftest import DOMAIN

DESTINATION = "https://shop.example/a?b=c"
SEND = UUID("019cb7d4-0d59-7000-8000-000000000001")
SHIPPED = Path(__file__).parents[3] / "deploy" / "Caddyfile"
SHORT_SECONDS = 15
"""Caddy renews when a third is left: five seconds are enough for an order on a slow machine."""


def click_path(install, domain=DOMAIN):
    sealer = Sealer(install.keyring, domain, account=7, profile=8)
    return f"/c/{sealer.click(SEND, 3, DESTINATION)}"


def names(certificate):
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


def redirects(site, install, domain=DOMAIN, headers=""):
    answer = site.get(domain, click_path(install, domain), headers)
    return answer.startswith(b"HTTP/1.1 302 ") and f"\r\nLocation: {DESTINATION}\r\n".encode() in answer


def test_the_shipped_file_is_what_the_command_prints(tmp_path):
    assert SHIPPED.read_text() == caddyfile_of(load(None, {}, tmp_path), Front())


def test_a_link_domain_has_a_certificate_from_its_first_visit_and_redirects(caddy, install):
    assert redirects(caddy.site, install)
    assert names(caddy.site.certificate(DOMAIN)) == [DOMAIN]


def test_a_domain_published_later_needs_nothing_but_a_visit(caddy, install):
    with pytest.raises(ssl.SSLError):
        caddy.site.certificate("go.other.example")
    publish(install, DOMAIN, "go.other.example")
    assert redirects(caddy.site, install, "go.other.example")
    assert names(caddy.site.certificate("go.other.example")) == ["go.other.example"]


@pytest.mark.parametrize("name", ["unknown.example", f"evil.{DOMAIN}", "localhost"])
def test_for_an_unknown_name_nothing_is_ordered(caddy, authority, name):
    before = authority.orders
    with pytest.raises(ssl.SSLError):
        caddy.site.certificate(name)
    assert authority.orders == before


def test_a_certificate_is_renewed_before_it_ends_and_no_visit_fails(install, tmp_path):
    ports = free_ports(2)
    with (
        Authority(tmp_path, *ports, validity_seconds=SHORT_SECONDS) as authority,
        CaddyFront(install, authority, Site("127.0.0.2", *ports)) as caddy,
    ):
        authority.resolve(DOMAIN, "127.0.0.2")
        serials = set()
        end = time.monotonic() + 2 * SHORT_SECONDS
        while len(serials) < 2 and time.monotonic() < end:
            assert redirects(caddy.site, install)
            shown = caddy.site.certificate(DOMAIN)
            assert shown.not_valid_after_utc > datetime.now(UTC)
            serials.add(shown.serial_number)
            time.sleep(0.25)
        assert len(serials) == 2


def test_plain_http_goes_to_https(caddy):
    answer = caddy.site.get_plain(DOMAIN, "/c/x?y=z")
    assert answer.startswith(b"HTTP/1.1 308")
    assert f"Location: https://{DOMAIN}:{caddy.site.https_port}/c/x?y=z\r\n".encode() in answer


def test_http_2_is_spoken(caddy):
    assert caddy.site.protocol(DOMAIN) == "h2"


def hits(install):
    return [hit for path in sealed_segments(install.spool) for _, hit in read_segment(path).records]


def test_the_client_is_who_connected_to_the_front_whatever_it_says_of_itself(caddy, install):
    lies = "X-Forwarded-For: 198.51.100.9\r\nForwarded: for=198.51.100.9\r\nX-Forwarded-Host: evil.example\r\n"
    answer = caddy.site.get(DOMAIN, click_path(install), f"{lies}User-Agent: liar\r\n", source="127.0.0.77")
    assert answer.startswith(b"HTTP/1.1 302 ")

    def liars():
        return [hit for hit in hits(install) if hit.headers.get("user-agent") == "liar"]

    wait_for(liars, "the click's segment")
    assert [(hit.client_address, hit.link_domain) for hit in liars()] == [("127.0.0.77", DOMAIN)]


def test_64_kilobytes_of_cookies_cost_no_reader_her_link(caddy, install):
    assert redirects(caddy.site, install, headers=f"Cookie: {'a' * 65_536}\r\n")


def test_the_front_writes_no_access_log(caddy):
    for line in caddy.log.read_text().splitlines():
        assert not json.loads(line).get("logger", "").startswith("http.log.access"), line
