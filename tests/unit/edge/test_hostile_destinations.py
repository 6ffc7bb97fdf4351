"""S2, smuggling: a token that says where no redirect may go is not followed, whoever sealed it."""

import base64

import pytest

from waypost.edge.answer import NOT_FOUND
from waypost.edge.decide import Decision, decide
from waypost.links import token as tokens
from waypost.links.compression import CHARACTERS
from waypost.links.errors import InvalidPayload
from waypost.links.token import Kind, Payload, seal
from waypost.spool.counters import Seen

from .conftest import DOMAIN, SEND
from .test_decide import NOW, RANDOMNESS

HOSTILE = [
    "https://shop.example/\r\nSet-Cookie: a=b",
    "https://shop.example/\r\n\r\n<script>",
    "https://shop.example/\nX: y",
    "https://shop.example/\rX: y",
    "https://shop.example/\0",
    "https://shop.example\n",
    "https://shop.example/\t",
    "https://shop.example/\x0b",
    "https://shop.example/\x85X: y",
    "https://shop.example/\u2028X: y",
    "https://shop.example/\u560d\u560aX: y",  # their low bytes are CR and LF
    "https://shop.example/a b",
    " https://shop.example/",
    "\ufeffhttps://shop.example/",
    "javascript:alert(1)",
    "JaVaScRiPt://shop.example/%0aalert(1)",
    "java\nscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "ftp://shop.example/",
    "mailto:reader@example.com",
    "blob:https://shop.example/1",
    "//evil.example/",
    "/evil",
    "evil.example",
    "?evil",
    "",
    "https:",
    "https:/evil.example",
    "https:evil.example",
    "https://",
    "https:///evil.example",
    "https://?evil.example",
    "https://#evil.example",
    "https:\\\\evil.example",
    "https:/\\evil.example",
    "https://shop.example\\@evil.example/",
    "https://evil.example\\.shop.example/",
    "https://shop.example\\evil",
    "https://shop.example\uff0fevil",
    "https://shop\u3002example/",
    "https://\u0455hop.example/",
    "https ://shop.example/",
    "https://shop.example/" + "a" * 4096,
]


@pytest.fixture
def well_sealed(keyring):
    """A token of any bytes in place of the destination, as a sealer that checks nothing would make."""

    def make(destination: bytes) -> str:
        header = bytes((tokens.VERSION, 1))
        plaintext = b"\0\7\10" + SEND.bytes + b"\3" + destination
        sealed = keyring.ciphers[1].encrypt(plaintext, [header, DOMAIN.encode()])
        return base64.urlsafe_b64encode(header + sealed).rstrip(b"=").decode()

    return make


@pytest.mark.parametrize("destination", HOSTILE, ids=ascii)
def test_it_is_not_sealed(keyring, destination):
    with pytest.raises(InvalidPayload):
        seal(Payload(Kind.CLICK, 7, 8, 3, destination, SEND), DOMAIN, keyring)


@pytest.mark.parametrize("destination", HOSTILE, ids=ascii)
def test_it_is_not_followed_even_if_it_were_sealed_and_came_out_as_it_is(
    edge, request_for, well_sealed, monkeypatch, destination
):
    """The short form cannot say most of these. It stands aside, so that the check behind it is what is tried."""
    monkeypatch.setattr(tokens, "decompress", lambda data, _: data.decode())
    for route in ("/c/", "/where/"):
        decision = decide(request_for(route + well_sealed(destination.encode())), edge, NOW, RANDOMNESS)
        assert decision == Decision(NOT_FOUND, Seen.REFUSED_MALFORMED)


def test_such_a_token_leads_where_it_says_when_nothing_is_wrong_with_that(edge, request_for, well_sealed, monkeypatch):
    monkeypatch.setattr(tokens, "decompress", lambda data, _: data.decode())
    decision = decide(request_for("/c/" + well_sealed(b"https://shop.example/")), edge, NOW, RANDOMNESS)
    assert (decision.seen, decision.answer.headers[0]) == (Seen.CLICK, ("Location", "https://shop.example/"))


@pytest.mark.parametrize("destination", HOSTILE, ids=ascii)
def test_its_bytes_in_a_token_bring_nothing_but_characters_of_a_url_into_a_header(
    edge, request_for, well_sealed, destination
):
    decision = decide(request_for("/c/" + well_sealed(destination.encode())), edge, NOW, RANDOMNESS)
    for location in (value for name, value in decision.answer.headers if name == "Location"):
        assert location != destination
        assert location.lower().startswith(("http://", "https://"))
        assert set(location) <= set(CHARACTERS)
