"""S2, smuggling: no URL of the WHATWG and RFC 3986 suites brings a header, a scheme or a host into a redirect.

Whatever may be sealed is answered by the edge, and its answer read as two HTTP and two URL parsers read it: h11 and
http.client, and of the URL urllib and the one of pydantic, which is written to the WHATWG standard as browsers are.
"""

import gzip
import io
import json
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPResponse
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID

import h11
import idna
from pydantic_core import Url, ValidationError

from waypost.edge.answer import SAFE_HEADERS, encode
from waypost.edge.decide import Edge, Request, decide
from waypost.links.destination import check, host
from waypost.links.errors import InvalidPayload
from waypost.links.keyring import Keyring
from waypost.links.token import Kind, Payload, seal

URLS = Path(__file__).parents[1] / "vectors" / "html" / "urls.json"
DOMAIN = "links.example.com"
KEYRING = Keyring.new(bytes(range(64)))
EDGE = Edge("edge-0", KEYRING)
SEND = UUID("019cb7d4-0d59-7000-8000-000000000001")
NOW = datetime(2026, 3, 4, tzinfo=UTC)
DATE = "Wed, 04 Mar 2026 00:00:00 GMT"
HEADERS = {name.lower() for name, _ in SAFE_HEADERS} | {"location", "date", "content-length"}

Headers = list[tuple[str, str]]


def hrefs(shared: Path) -> set[str]:
    """Every one of the suite and of our own cases."""
    with gzip.open(shared / "suites" / "rewriter_checks.jsonl.gz", "rt", encoding="utf-8") as lines:
        found = {link["href"] for line in lines for link in json.loads(line)["links"]}
    return found | {link["destination"] for case in json.loads(URLS.read_text()) for link in case["links"]}


def sealed(destination: str) -> str | None:
    """A token that leads there; None when there can be none."""
    try:
        return seal(Payload(Kind.CLICK, 7, 8, 3, destination, SEND), DOMAIN, KEYRING)
    except InvalidPayload:
        return None


def answered(token: str) -> bytes:
    """What the edge sends."""
    request = Request(b"GET", f"/c/{token}".encode(), DOMAIN.encode(), "192.0.2.33", {})
    return encode(decide(request, EDGE, NOW, bytes(10)).answer, date=DATE, body=True, close=False)


def as_h11_reads(data: bytes) -> Headers:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", DOMAIN)]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    response, end = client.next_event(), client.next_event()
    assert isinstance(response, h11.Response)
    assert response.status_code == 302
    assert isinstance(end, h11.EndOfMessage)
    assert client.trailing_data == (b"", False)
    return [(name.decode(), value.decode()) for name, value in response.headers]


class Received(socket.socket):
    """A connection that brings an answer."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = data

    def makefile(self, *_: object, **__: object) -> io.BytesIO:
        return io.BytesIO(self._data)


def as_http_client_reads(data: bytes) -> Headers:
    with Received(data) as connection, HTTPResponse(connection) as response:
        response.begin()
        assert (response.status, response.read()) == (302, b"")
        return [(name.lower(), value) for name, value in response.getheaders()]


def as_urllib_reads(url: str) -> tuple[str, str]:
    """Scheme and host."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or ""


def as_a_browser_reads(url: str) -> tuple[str, str] | None:
    """Scheme and host; None when it would not go there at all."""
    try:
        read = Url(url)
    except ValidationError:
        return None
    return read.scheme, read.host or ""


def canonical(name: str) -> str:
    """A host as browsers go to it, by other means than theirs: C's idea of an IPv4 address, and Python's IDNA."""
    if ":" in name:
        return str(int(IPv6Address(name.strip("[]"))))
    name = unquote(name).lower().removesuffix(".")
    try:
        # To browsers, and not to C, a bare 0x is a zero.
        return str(IPv4Address(socket.inet_aton(re.sub(r"\b0x(?=\.|$)", "0", name))))
    except OSError:
        labels = idna.uts46_remap(name, std3_rules=False).split(".")
        return ".".join(each if each.isascii() else f"xn--{each.encode('punycode').decode()}" for each in labels)


def destinations(shared: Path) -> Iterator[tuple[str, str]]:
    """Every href that may be sealed, and its token."""
    for href in sorted(hrefs(shared)):
        if (token := sealed(href)) is not None:
            yield href, token


def test_whatever_may_be_tracked_may_be_sealed(shared: Path) -> None:
    tracked = [href for href in hrefs(shared) if check(href) is None]
    assert [href for href in tracked if sealed(href) is None] == []
    assert len(tracked) > 700


def test_a_redirect_has_one_location_which_is_the_destination_and_no_header_more(shared: Path) -> None:
    redirects = 0
    for href, token in destinations(shared):
        data = answered(token)
        for headers in (as_h11_reads(data), as_http_client_reads(data)):
            assert [value for name, value in headers if name == "location"] == [href]
            assert {name for name, _ in headers} == HEADERS
            assert len(headers) == len(HEADERS)
        redirects += 1
    assert redirects > 800
    print(f"\n{redirects} of {len(hrefs(shared)):,} hrefs may be destinations: no header too many")


def test_a_destination_is_http_and_has_the_host_that_we_say_it_has_for_every_parser(shared: Path) -> None:
    visited = 0
    for href in (href for href in sorted(hrefs(shared)) if check(href) is None):
        ours = host(href)
        scheme, name = as_urllib_reads(href)
        assert scheme in ("http", "https")
        assert name.lower() == ours.strip("[]"), href
        if (read := as_a_browser_reads(href)) is not None:
            assert read[0] == scheme
            assert canonical(read[1]) == canonical(ours), href
            visited += 1
    assert visited > 600


def test_what_older_rules_may_have_sealed_is_still_http_for_a_browser(shared: Path) -> None:
    """The token's check is wider than the grammar: tokens of today must open when what is tracked is narrower."""
    wider = [href for href, _ in destinations(shared) if check(href) is not None]
    read = [scheme_and_host for href in wider if (scheme_and_host := as_a_browser_reads(href)) is not None]
    assert len(wider) > 80
    assert len(read) > 40
    assert {scheme for scheme, _ in read} <= {"http", "https"}
    assert all(name for _, name in read)
