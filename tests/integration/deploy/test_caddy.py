"""L5, HTTPS by itself, and S7, certificates only for known names: the shipped front, a real edge, a real authority."""

import json
import ssl
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509

from waypost.cli.caddyfile import Front, caddyfile_of
from waypost.config import load
from waypost.links.token import Sealer
from waypost.spool import read_segment, sealed_segments

from .conftest import wait_for

DOMAIN = "links.example.com"
DESTINATION = "https://shop.example/a?b=c"
SEND = UUID("019cb7d4-0d59-7000-8000-000000000001")
SHIPPED = Path(__file__).parents[3] / "deploy" / "Caddyfile"


def click_path(fronted, domain=DOMAIN):
    sealer = Sealer(fronted.install.keyring, domain, account=7, profile=8)
    return f"/c/{sealer.click(SEND, 3, DESTINATION)}"


def names(certificate):
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


def test_the_shipped_file_is_what_the_command_prints(tmp_path):
    assert SHIPPED.read_text() == caddyfile_of(load(None, {}, tmp_path), Front())


def test_a_link_domain_has_a_certificate_from_its_first_visit_and_redirects(fronted):
    started = time.monotonic()
    answer = fronted.get(DOMAIN, click_path(fronted))
    assert answer.startswith(b"HTTP/1.1 302"), answer[:200]
    assert f"Location: {DESTINATION}\r\n".encode() in answer
    assert b"Server:" not in answer
    assert time.monotonic() - started < 20
    assert names(fronted.certificate(DOMAIN)) == [DOMAIN]


def test_a_domain_published_later_needs_nothing_but_a_visit(fronted):
    fronted.publish(DOMAIN, "go.other.example")
    assert fronted.get("go.other.example", click_path(fronted, "go.other.example")).startswith(b"HTTP/1.1 302")
    assert fronted.get("go.other.example", "/").startswith(b"HTTP/1.1 302")
    assert names(fronted.certificate("go.other.example")) == ["go.other.example"]


@pytest.mark.parametrize("name", ["unknown.example", "evil.links.example.com", "localhost"])
def test_for_an_unknown_name_nothing_is_ordered(fronted, name):
    before = fronted.authority.log.read_text(errors="replace")
    with pytest.raises(ssl.SSLError):
        fronted.certificate(name)
    time.sleep(0.5)
    assert name not in fronted.authority.log.read_text(errors="replace")[len(before) :]


def test_a_certificate_once_had_is_served_though_the_agent_and_the_authority_are_gone(fronted):
    serial = fronted.certificate(DOMAIN).serial_number
    fronted.authority.stop()
    fronted.stop_caddy()
    try:
        fronted.start_caddy()
        assert fronted.certificate(DOMAIN).serial_number == serial
        assert fronted.get(DOMAIN, click_path(fronted)).startswith(b"HTTP/1.1 302")
    finally:
        fronted.authority.start()


def test_a_certificate_is_renewed_before_it_ends_and_no_visit_fails(fronted):
    fronted.authority.stop()
    fronted.authority.start(validity_seconds=20)
    try:
        fronted.publish(DOMAIN, "short.example")
        first = fronted.certificate("short.example")
        assert (first.not_valid_after_utc - first.not_valid_before_utc).total_seconds() < 30
        path = click_path(fronted, "short.example")
        serials = set()
        end = time.monotonic() + 30
        while len(serials) < 2 and time.monotonic() < end:
            assert fronted.get("short.example", path).startswith(b"HTTP/1.1 302")
            shown = fronted.certificate("short.example")
            assert shown.not_valid_after_utc > datetime.now(UTC)
            serials.add(shown.serial_number)
            time.sleep(0.5)
        assert len(serials) == 2
    finally:
        fronted.authority.stop()
        fronted.authority.start()


def test_plain_http_goes_to_https(fronted):
    answer = fronted.plain(DOMAIN, "/c/x?y=z")
    assert answer.startswith(b"HTTP/1.1 308")
    assert f"Location: https://{DOMAIN}:{fronted.https_port}/c/x?y=z\r\n".encode() in answer


def test_http_2_is_spoken(fronted):
    assert fronted.protocol(DOMAIN) == "h2"


def hits(fronted):
    return [hit for path in sealed_segments(fronted.install.spool) for _, hit in read_segment(path).records]


def test_the_client_is_who_connected_to_the_front_whatever_it_says_of_itself(fronted):
    lies = "X-Forwarded-For: 198.51.100.9\r\nForwarded: for=198.51.100.9\r\nX-Forwarded-Host: evil.example\r\n"
    before = len(hits(fronted))
    answer = fronted.get(DOMAIN, click_path(fronted), lies + "User-Agent: liar\r\n")
    assert answer.startswith(b"HTTP/1.1 302")
    wait_for(lambda: len(hits(fronted)) > before, "the click's segment")
    (hit,) = [hit for hit in hits(fronted) if hit.headers.get("user-agent") == "liar"]
    assert (hit.client_address, hit.link_domain) == ("127.0.0.1", DOMAIN)


def test_64_kilobytes_of_cookies_cost_no_reader_her_link(fronted):
    cookies = f"Cookie: {'a' * 60_000}\r\n"
    assert fronted.get(DOMAIN, click_path(fronted), cookies).startswith(b"HTTP/1.1 302")


def test_a_worker_that_is_killed_costs_no_redirect(fronted):
    """Its socket is the supervisor's: who comes meanwhile waits, as under `waypost up`."""
    fronted.install._started[0].kill()
    fronted.install.edge()
    assert fronted.get(DOMAIN, click_path(fronted)).startswith(b"HTTP/1.1 302")


def test_the_front_writes_no_access_log(fronted):
    for line in fronted.log.read_text().splitlines():
        assert json.loads(line).get("logger", "").partition(".")[0] != "http.log.access", line
