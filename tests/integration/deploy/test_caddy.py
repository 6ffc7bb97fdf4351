"""L5, HTTPS by itself, and S7, certificates only for known names: the shipped front, a real edge, a real authority.

There is no control plane in these tests: all of it works while the core is down.
"""

import os
import signal
import ssl
import subprocess
import threading
import time
from datetime import UTC, datetime

import pytest
from cryptography import x509
from tests.debian import require
from tests.ports import free_ports
from torture.front import Authority, CaddyFront, Site, publish, wait_for

from waypost.cli.caddyfile import Front, caddyfile_of
from waypost.config import load
from waypost.keyfile.snapshot import snapshot_path

from .conftest import DOMAIN, HEADERS, is_redirect, new_machine

SHORT_SECONDS = 18
"""Caddy renews when a third is left: six seconds are enough for an agent to start and an order, on a slow machine."""

# Their time passes during these tests; test_when_slow.py tells what became of them.
pytestmark = pytest.mark.usefixtures("slow_clients")


def names(certificate):
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


def test_a_link_domain_has_a_certificate_from_its_first_visit_and_redirects(machine, caddy):
    assert machine.redirects(caddy.site)
    assert names(caddy.site.certificate(DOMAIN)) == [DOMAIN]


def test_a_domain_published_later_needs_nothing_but_a_visit_and_was_refused_before(machine, caddy):
    with pytest.raises(ssl.SSLError):
        caddy.site.certificate("go.other.example")
    publish(machine.install, DOMAIN, "go.other.example")
    assert machine.redirects(caddy.site, "go.other.example")
    assert names(caddy.site.certificate("go.other.example")) == ["go.other.example"]


@pytest.mark.parametrize("name", ["unknown.example", f"evil.{DOMAIN}", "localhost"])
def test_for_an_unknown_name_nothing_is_ordered(caddy, authority, name):
    before = authority.orders
    with pytest.raises(ssl.SSLError):
        caddy.site.certificate(name)
    assert authority.orders == before


def test_where_there_is_no_snapshot_yet_the_settings_say_which_names_are_known(tmp_path, authority, ports):
    settings = {"WAYPOST_EDGE__LINK_DOMAINS": "first.example"}
    with (
        new_machine(tmp_path, settings) as machine,
        CaddyFront(machine.install, authority, Site("127.0.0.3", *ports)) as caddy,
    ):
        authority.resolve("first.example", "127.0.0.3")
        assert not snapshot_path(machine.install.data).exists()
        assert machine.redirects(caddy.site, "first.example")
        with pytest.raises(ssl.SSLError):
            caddy.site.certificate("second.example")


@pytest.mark.parametrize("reached", ["HTTP-01", "TLS-ALPN-01"])
def test_either_way_of_asking_is_enough_for_the_authority(machine, tmp_path, reached):
    """The other of the two ports is closed to it, as by a firewall."""
    http_port, https_port, closed = free_ports(3)
    ports = (http_port, closed) if reached == "HTTP-01" else (closed, https_port)
    with (
        Authority(tmp_path, *ports) as authority,
        CaddyFront(machine.install, authority, Site("127.0.0.4", http_port, https_port)) as caddy,
    ):
        authority.resolve(DOMAIN, "127.0.0.4")
        assert machine.redirects(caddy.site)


def test_an_order_goes_on_when_the_visitor_does_not_wait_for_it(machine, caddy, authority):
    publish(machine.install, DOMAIN, "slow.example")
    for process in authority.processes:
        process.send_signal(signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        caddy.site.certificate("slow.example", seconds=0.5)
    before = authority.orders
    for process in authority.processes:
        process.send_signal(signal.SIGCONT)
    wait_for(lambda: authority.orders > before, "the order")
    assert machine.redirects(caddy.site, "slow.example")
    assert authority.orders == before + 1


def test_certificates_are_renewed_and_served_whatever_goes_away_and_no_visit_fails(machine, tmp_path):
    """The agent, which says whether one may be had, is killed on the way there; then the authority is gone for good."""
    ports = free_ports(2)
    with (
        Authority(tmp_path, *ports, validity_seconds=SHORT_SECONDS) as authority,
        CaddyFront(machine.install, authority, Site("127.0.0.5", *ports)) as caddy,
    ):
        authority.resolve(DOMAIN, "127.0.0.5")
        first = shown = caddy.site.certificate(DOMAIN)
        killed = False
        while shown == first:
            left = (first.not_valid_after_utc - datetime.now(UTC)).total_seconds()
            assert left > 0
            if left < SHORT_SECONDS / 2 and not killed:
                machine.kill_agent()
                killed = True
            assert machine.redirects(caddy.site)
            shown = caddy.site.certificate(DOMAIN)
            time.sleep(0.2)
        authority.stop()
        assert machine.redirects(caddy.site)
        caddy.kill()
        caddy.start()
        assert machine.redirects(caddy.site)


def test_plain_http_goes_to_https(caddy):
    answer = caddy.site.get_plain(DOMAIN, "/c/x?y=z")
    assert answer.startswith(b"HTTP/1.1 308")
    assert f"Location: https://{DOMAIN}:{caddy.site.https_port}/c/x?y=z\r\n".encode() in answer


@pytest.mark.parametrize(("version", "kilobytes"), HEADERS)
def test_64_kilobytes_of_cookies_cost_no_reader_her_link(machine, caddy, version, kilobytes):
    assert machine.redirects_with_cookies(caddy.site, version, kilobytes)


def test_what_mail_programs_do_to_links_is_mended_behind_the_front_too(machine, caddy):
    assert machine.not_mended(caddy.site) == []


def test_the_client_is_who_connected_to_the_front_whatever_it_says_of_itself(machine, caddy):
    lies = "X-Forwarded-For: 198.51.100.9\r\nForwarded: for=198.51.100.9\r\nX-Forwarded-Host: evil.example\r\n"
    answer = caddy.site.get(DOMAIN, f"/c/{machine.token()}", f"{lies}User-Agent: liar\r\n", source="127.0.0.77")
    assert is_redirect(answer)
    wait_for(lambda: machine.hits("liar"), "the click's segment")
    assert [(hit.client_address, hit.link_domain) for hit in machine.hits("liar")] == [("127.0.0.77", DOMAIN)]


def test_what_is_no_link_gets_the_edges_own_plain_page(caddy):
    answer = caddy.site.get(DOMAIN, "/wp-login.php")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"Server:" not in answer
    assert b"Caddy" not in answer.partition(b"\r\n\r\n")[0]


def test_a_reader_who_comes_while_the_edge_is_started_again_waits_for_it(machine, caddy):
    """All of it, with the sockets that its supervisor holds: an edge under systemd's socket is not away at all."""
    assert machine.edge.stop() == 0
    answered = []
    reader = threading.Thread(target=lambda: answered.append(machine.redirects(caddy.site)))
    reader.start()
    machine.start()
    reader.join()
    assert answered == [True]


def test_where_the_edge_is_away_the_log_says_so_but_neither_who_came_nor_for_which_link(machine, authority, ports):
    authority.resolve(DOMAIN, "127.0.0.7")
    caddy = CaddyFront(machine.install, authority, Site("127.0.0.7", *ports))
    text = caddy.caddyfile.read_text().replace(f":{machine.install.edge_port}", f":{free_ports(1)[0]}")
    caddy.caddyfile.write_text(text.replace("lb_try_duration 10s", "lb_try_duration 0s"))
    with caddy:
        answer = caddy.site.get(DOMAIN, "/c/Secret", "User-Agent: Her Browser\r\n", source="127.0.0.77")
    assert answer.startswith(b"HTTP/1.1 502 ")
    log = caddy.log.read_text()
    assert "connection refused" in log
    assert [secret for secret in ("Secret", "Her Browser", "127.0.0.77") if secret in log] == []


def test_fronts_with_one_storage_answer_for_each_other_and_share_certificates(machine, authority, ports, tmp_path):
    options = Front(admin="off", storage=str(tmp_path / "shared by both"))
    first, second = (
        CaddyFront(machine.install, authority, Site(address, *ports), options=options)
        for address in ("127.0.0.8", "127.0.0.9")
    )
    publish(machine.install, DOMAIN, "shared.example")
    authority.resolve("shared.example", "127.0.0.9")
    with first, second:
        before = authority.orders
        assert machine.redirects(first.site, "shared.example")
        assert machine.redirects(second.site, "shared.example")
        assert authority.orders == before + 1
        assert first.site.certificate("shared.example") == second.site.certificate("shared.example")


def test_fronts_with_storages_of_their_own_pass_on_what_the_authority_asks_of_the_other(machine, authority, ports):
    here, there = "127.0.0.10", "127.0.0.11"
    first, second = (
        CaddyFront(
            machine.install,
            authority,
            Site(address, *ports),
            options=Front(admin="off", challenge_peer=f"{peer}:{ports[0]}"),
        )
        for address, peer in ((here, there), (there, here))
    )
    publish(machine.install, DOMAIN, "passed.example")
    with first, second:
        for ordering, asked in ((first, there), (second, here)):
            authority.resolve("passed.example", asked)
            assert machine.redirects(ordering.site, "passed.example")
        serials = {each.site.certificate("passed.example").serial_number for each in (first, second)}
        assert len(serials) == 2
        # What neither of them knows comes back to none of them.
        unknown = first.site.get_plain("passed.example", "/.well-known/acme-challenge/unknown")
        assert unknown.startswith(b"HTTP/1.1 308")


def test_its_configuration_is_loaded_again_and_a_reader_who_is_cut_off_by_that_need_only_try_again(
    machine, authority, ports, tmp_path
):
    socket_path = tmp_path / "admin.sock"
    options = Front(admin=f"unix/{socket_path}")
    with CaddyFront(machine.install, authority, Site("127.0.0.12", *ports), options=options) as caddy:
        authority.resolve(DOMAIN, "127.0.0.12")
        assert machine.redirects(caddy.site)
        assert socket_path.stat().st_mode & 0o022 == 0  # who cannot write to it cannot connect
        stop, redirected = threading.Event(), []

        def click():
            while not stop.is_set():
                redirected.append(machine.redirects(caddy.site) or machine.redirects(caddy.site))

        reader = threading.Thread(target=click)
        reader.start()
        for _ in range(3):
            caddy.reload()
        stop.set()
        reader.join()
        assert redirected
        assert all(redirected)


def test_there_is_no_access_log(caddy):
    assert "http.log.access" not in caddy.log.read_text()


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (Front(), {}),
        (Front(email="ops@example.com", storage="/srv/our certificates"), {}),
        (Front(api="core.example.com", http_port=8080, https_port=8443), {}),
        (Front(api="core.example.com", challenge_peer="edge-b.example.com", storage="/srv/a,b"), {}),
        (Front(challenge_peer="[2001:db8::2]:80"), {"WAYPOST_EDGE__LISTEN": "[::]:8026"}),
    ],
    ids=str,
)
def test_caddy_takes_the_file_and_would_format_it_in_the_same_way(tmp_path, options, settings):
    path = tmp_path / "Caddyfile"
    path.write_text(caddyfile_of(load(None, settings, tmp_path), options))
    caddy, home = require("caddy", "caddy"), {"HOME": str(tmp_path)}
    validate = [caddy, "validate", "--adapter", "caddyfile", "--config", path]
    done = subprocess.run(validate, check=False, env=os.environ | home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert subprocess.run([caddy, "fmt", path], check=True, capture_output=True, text=True).stdout == path.read_text()
