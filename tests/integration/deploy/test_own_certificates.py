"""The alternatives to Caddy, with the operator's own certificates: nginx and HAProxy as shipped, before a real edge."""

import socket
import ssl
import warnings

import pytest
from tests.ports import free_ports
from torture.front import LOOPBACK, Site, wait_for

from .conftest import DOMAIN, HEADERS, is_redirect
from .own_certificates import SERVERS, running

# Their time passes during these tests; test_when_slow.py tells what became of them.
pytestmark = pytest.mark.usefixtures("slow_clients")


@pytest.fixture(params=SERVERS)
def name(request):
    return request.param


@pytest.fixture
def site(sites, name):
    return sites[name]


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


def test_where_the_edge_is_away_nginx_logs_neither_who_came_nor_for_which_link(tmp_path):
    """HAProxy is given nowhere to log to."""
    nobody, *ports = free_ports(3)
    with running(SERVERS["nginx"], nobody, tmp_path, Site(LOOPBACK, *ports), DOMAIN) as site:
        answer = site.get(DOMAIN, "/c/Secret", "User-Agent: Her Browser\r\n", source="127.0.0.77")
    assert answer.startswith(b"HTTP/1.1 502 ")
    logged = (tmp_path / "error.log").read_text() + (tmp_path / "log").read_text()
    assert [secret for secret in ("Secret", "Her Browser", "127.0.0.77") if secret in logged] == []


def test_what_is_no_link_gets_the_edges_own_plain_page(site):
    answer = site.get(DOMAIN, "/wp-login.php")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"it may be damaged" in answer


def test_what_mail_programs_do_to_links_is_mended_behind_the_front_too(machine, site):
    assert machine.not_mended(site) == []
