"""The alternatives to Caddy, with the operator's own certificates: nginx and HAProxy as shipped, before a real edge."""

import contextlib
import socket
import ssl
import subprocess
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from tests.debian import require
from torture.front import LOOPBACK, Site, listens, wait_for, write_certificate
from torture.processes import free_ports

from .conftest import DOMAIN, HEADERS, SlowClients, is_redirect

SHIPPED = Path(__file__).parents[3] / "deploy"


@dataclass(frozen=True)
class Server:
    """A server, and what of its shipped configuration has another value here: addresses and paths."""

    package: str
    configuration: str
    check: Sequence[str]
    run: Sequence[str]
    here: Callable[[Path, Site], dict[str, str]]


SERVERS = {
    "nginx": Server(
        "nginx",
        "nginx.conf",
        check=("-t", "-c"),
        run=("-g", "daemon off;", "-c"),
        here=lambda folder, site: {
            "user www-data;": "",
            "/run/nginx.pid": f"{folder}/nginx.pid",
            "/var/log/nginx/": f"{folder}/",
            "/etc/ssl/waypost/": f"{folder}/",
            "listen 80 ": f"listen {site.address}:{site.http_port} ",
            "listen [::]:80 ": f"listen [::1]:{site.http_port} ",
            "listen 443 ": f"listen {site.address}:{site.https_port} ",
            "listen [::]:443 ": f"listen [::1]:{site.https_port} ",
        },
    ),
    "haproxy": Server(
        "haproxy",
        "haproxy.cfg",
        check=("-c", "-f"),
        run=("-db", "-f"),
        here=lambda folder, site: {
            "\tuser haproxy\n": "",
            "\tgroup haproxy\n": "",
            "bind :::80 v4v6": f"bind {site.address}:{site.http_port}",
            "bind :::443 v4v6": f"bind {site.address}:{site.https_port}",
            "/etc/haproxy/certificates": f"{folder}/both.pem",
        },
    ),
}


@contextlib.contextmanager
def running(server, machine, folder, site):
    write_certificate(folder / "fullchain.pem", folder / "key.pem", x509.DNSName(DOMAIN))
    both = (folder / "fullchain.pem").read_bytes() + (folder / "key.pem").read_bytes()
    (folder / "both.pem").write_bytes(both)
    text = (SHIPPED / server.configuration).read_text()
    for shipped, here in {
        "127.0.0.1:8026": f"127.0.0.1:{machine.install.edge_port}",
        **server.here(folder, site),
    }.items():
        assert shipped in text, shipped
        text = text.replace(shipped, here)
    configuration = folder / server.configuration
    configuration.write_text(text)
    binary = require(server.package, server.package)
    checked = subprocess.run([binary, *server.check, configuration], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in (checked.stdout + checked.stderr).lower(), checked.stderr
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([binary, *server.run, configuration], stdout=log, stderr=log)
    try:
        wait_for(lambda: listens(site.address, site.https_port), f"{server.package} ({folder / 'log'})")
        yield site
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def sites(machine, tmp_path_factory):
    """Where each of them listens, and clients that were slow since before the first test."""
    with contextlib.ExitStack() as held:
        found = {}
        for name, server in SERVERS.items():
            site = Site(LOOPBACK, *free_ports(2))
            held.enter_context(running(server, machine, tmp_path_factory.mktemp(name), site))
            found[name] = site, held.enter_context(SlowClients(site))
        yield found


@pytest.fixture(params=SERVERS)
def name(request):
    return request.param


@pytest.fixture
def site(sites, name):
    return sites[name][0]


def test_a_link_redirects_over_https(machine, site):
    assert machine.redirects(site)


def test_plain_http_goes_to_https(site):
    answer = site.get_plain(DOMAIN, "/c/x?y=z")
    assert answer.startswith(b"HTTP/1.1 308 ")
    assert f"ocation: https://{DOMAIN}/c/x?y=z\r\n".encode() in answer


def test_http_2_is_spoken(site):
    assert site.protocol(DOMAIN) == "h2"


@pytest.mark.parametrize(("version", "spoken"), [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)])
def test_tls_before_1_2_is_not_spoken(site, version, spoken):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")  # else this side would refuse it
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = context.maximum_version = version
    with socket.create_connection((site.address, site.https_port)) as plain:
        if spoken:
            context.wrap_socket(plain).close()
        else:
            with pytest.raises(ssl.SSLError, match="alert protocol version"):
                context.wrap_socket(plain)


@pytest.mark.parametrize(("version", "kilobytes"), HEADERS)
def test_64_kilobytes_of_cookies_cost_no_reader_her_link(machine, site, version, kilobytes):
    assert machine.redirects_with_cookies(site, version, kilobytes)


def test_150_headers_cost_no_reader_her_link(machine, site):
    assert machine.redirects(site, headers="".join(f"X-Proxy-{number}: 1\r\n" for number in range(150)))


def test_the_client_is_who_connected_to_the_front_whatever_it_says_of_itself(machine, site, name):
    lies = "X-Forwarded-For: 198.51.100.9\r\nForwarded: for=198.51.100.9\r\nX-Forwarded-Host: evil.example\r\n"
    agent = f"liar to {name}"
    answer = site.get(DOMAIN, f"/c/{machine.token()}", f"{lies}User-Agent: {agent}\r\n", source="127.0.0.77")
    assert is_redirect(answer)
    wait_for(lambda: machine.hits(agent), "the click's segment")
    assert [(hit.client_address, hit.link_domain) for hit in machine.hits(agent)] == [("127.0.0.77", DOMAIN)]


def test_what_is_no_link_gets_the_edges_own_plain_page(site):
    answer = site.get(DOMAIN, "/wp-login.php")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"it may be damaged" in answer


def test_what_mail_programs_do_to_links_is_mended_behind_the_front_too(machine, site):
    assert machine.not_mended(site) == []


def test_slow_clients_are_let_go(sites, name):
    sites[name][1].wait_closed()
