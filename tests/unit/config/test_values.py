import pytest

from waypost.config import HostPort, Secret, SecretUrl
from waypost.config.values import Resolver


@pytest.mark.parametrize("text", ["127.0.0.1:80", "localhost:65535", "[::1]:8025", "api.example.com:1"])
def test_host_and_port_print_as_they_were_written(text):
    assert str(HostPort.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "80", "host", "host:", ":80", "host:0", "host:65536", "::1:80", "h st:80", "[::1]", "http://h:80", "h:٣"],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="host:port"):
        HostPort.parse(text)


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("9.9.9.9", "9.9.9.9", 53),
        ("2620:fe::fe", "2620:fe::fe", 53),
        ("127.0.0.1:5353", "127.0.0.1", 5353),
        ("[::1]:5353", "::1", 5353),
    ],
)
def test_a_resolver_is_an_address_with_a_port_or_without(text, address, port):
    resolver = Resolver.parse(text)
    assert (str(resolver.address), resolver.port, str(resolver)) == (address, port, text)


@pytest.mark.parametrize("text", ["", "dns.example", "dns.example:53", "9.9.9.9:0", "9.9.9", "[::1]"])
def test_a_resolver_has_no_name(text):
    with pytest.raises(ValueError, match=r".+"):
        Resolver.parse(text)


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("", ""),
        ("postgresql+psycopg://host/name", "postgresql+psycopg://host/name"),
        ("postgresql+psycopg://user@host/name", "postgresql+psycopg://user@host/name"),
        ("postgresql+psycopg://user:p%40ss@host:5432/name", "postgresql+psycopg://user:***@host:5432/name"),
        ("clickhouse://default:s3/cret@host:8123", "clickhouse://default:***@host:8123"),
        ("clickhouse://default:a:b@c@host:8123", "clickhouse://default:***@host:8123"),
    ],
)
def test_a_url_prints_without_its_password(url, printed):
    assert str(SecretUrl(url)) == f"{SecretUrl(url)}" == repr(SecretUrl(url)) == printed


def test_an_empty_secret_is_false_and_secrets_compare_by_text():
    assert not Secret("")
    assert Secret("a")
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
