"""What an edge does with what control published: blocks, default redirects, the page that says where a link goes."""

from datetime import UTC, datetime
from html import unescape

import pytest

from waypost.config import Network
from waypost.edge.answer import GONE, NOT_FOUND, NOT_FOUND_WITH_HOME
from waypost.edge.decide import Decision, Edge, decide
from waypost.edge.forwarded import Front
from waypost.events.hit import Outcome
from waypost.fleet.proof import proves
from waypost.fleet.snapshot import Blocks, PublishedDomain, Snapshot, link_digest
from waypost.links.token import Kind
from waypost.spool.counters import Seen

from .conftest import DESTINATION, DOMAIN, SEND
from .test_decide import NOW, RANDOMNESS

HOME = "https://example.com/welcome"


def published(keyring, default_redirect=HOME, **blocks):
    domains = {DOMAIN: PublishedDomain(default_redirect, "example.com")}
    return Edge("edge-0", keyring, Snapshot(5, datetime(2026, 11, 24, tzinfo=UTC), domains, Blocks(**blocks)))


BLOCKS = {
    "link": {"links": frozenset({link_digest(7, DESTINATION)})},
    "send": {"sends": frozenset({SEND})},
    "profile": {"profiles": frozenset({8})},
    "account": {"accounts": frozenset({7})},
    "host": {"hosts": frozenset({"shop.example"})},
    "key": {"keys": frozenset({1})},
}


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_blocked_link_is_gone_and_recorded_as_blocked(kind, method, keyring, token, request_for):
    edge = published(keyring, **BLOCKS[kind])
    decision = decide(request_for(f"/c/{token()}", method=method), edge, NOW, RANDOMNESS)
    assert (decision.answer, decision.seen) == (GONE, Seen.BLOCKED)
    assert decision.answer.status == 410
    assert (decision.hit.outcome, decision.hit.destination) == (Outcome.BLOCKED, DESTINATION)
    assert DESTINATION.encode() not in decision.answer.body


@pytest.mark.parametrize("kind", BLOCKS)
def test_its_page_says_so_and_counts_nothing(kind, keyring, token, request_for):
    decision = decide(request_for(f"/where/{token()}"), published(keyring, **BLOCKS[kind]), NOW, RANDOMNESS)
    assert (decision.answer.status, decision.seen, decision.hit) == (200, Seen.WHERE, None)
    assert b"switched off" in decision.answer.body


def test_other_links_go_on(keyring, token, request_for):
    edge = published(keyring, **BLOCKS["link"])
    other = token(destination="https://shop.example/other")
    assert decide(request_for(f"/c/{other}"), edge, NOW, RANDOMNESS).seen is Seen.CLICK


def test_a_blocked_send_s_open_is_refused_too(keyring, token, request_for):
    edge = published(keyring, **BLOCKS["send"])
    assert decide(request_for(f"/o/{token(kind=Kind.OPEN)}.gif"), edge, NOW, RANDOMNESS).answer == GONE


def test_where_shows_the_destination_as_text_and_whose_mail_it_is_in(keyring, token, request_for):
    nasty = "https://shop.example/?a=1&b='&c=(x)"
    decision = decide(request_for(f"/where/{token(destination=nasty)}"), published(keyring), NOW, RANDOMNESS)
    page = decision.answer.body.decode()
    assert nasty in unescape(page)
    assert nasty not in page  # escaped
    assert "example.com" in page
    assert "<a " not in page
    assert "http-equiv" not in page
    headers = dict(decision.answer.headers)
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Cache-Control"] == "no-store"


def test_where_names_the_link_domain_as_long_as_nothing_is_published(edge, token, request_for):
    decision = decide(request_for(f"/where/{token()}."), edge, NOW, RANDOMNESS)
    assert DOMAIN.encode() in decision.answer.body
    assert decision.repaired


def test_the_bare_link_domain_leads_to_its_default_redirect(keyring, request_for):
    for target in ("/", "/?utm_source=x", f"http://{DOMAIN}/"):
        decision = decide(request_for(target), published(keyring), NOW, RANDOMNESS)
        assert (decision.seen, decision.hit) == (Seen.DEFAULT_REDIRECT, None)
        assert decision.answer.status == 302
        assert decision.answer.headers[0] == ("Location", HOME)
    other = decide(request_for("/", host=b"links.other.example"), published(keyring), NOW, RANDOMNESS)
    assert other == Decision(NOT_FOUND, Seen.REFUSED_PATH)


NASTY = [
    "", "javascript:alert(1)", "//evil.example/", "https://x.example/\r\nSet-Cookie: a=b", "https://x.example/\n",
    "https://x.example/\x00", "https://x.example/\t", "https:\\\\x.example/", "https://x.example/grö", "https://", " https://x/",
    "https://x.example/ y", "https://x.example/" + "a" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("home", NASTY, ids=lambda home: repr(home)[:24])
def test_what_may_not_stand_in_a_header_never_does(home, keyring, request_for):
    """S2: a published redirect is judged again at the edge, like a token's destination."""
    edge = published(keyring, default_redirect=home)
    assert decide(request_for("/"), edge, NOW, RANDOMNESS).answer == NOT_FOUND
    assert decide(request_for("/nowhere"), edge, NOW, RANDOMNESS).answer == NOT_FOUND


def test_a_damaged_link_s_page_offers_the_home_page_where_there_is_one(keyring, edge, request_for):
    assert decide(request_for("/c/damaged"), published(keyring), NOW, RANDOMNESS).answer == NOT_FOUND_WITH_HOME
    assert decide(request_for("/c/damaged"), edge, NOW, RANDOMNESS).answer == NOT_FOUND
    assert b'href="/"' in NOT_FOUND_WITH_HOME.body


def test_an_edge_proves_that_it_is_one_of_ours_on_the_domain_it_was_asked_on(keyring, edge, request_for):
    nonce = "0123456789abcdef"
    decision = decide(request_for(f"/.well-known/waypost/{nonce}"), edge, NOW, RANDOMNESS)
    assert (decision.answer.status, decision.seen) == (200, Seen.FIXED)
    assert proves(decision.answer.body.decode(), nonce, DOMAIN, keyring)
    assert not proves(decision.answer.body.decode(), nonce, "links.other.example", keyring)


def test_behind_a_front_client_and_host_are_those_it_names(keyring, token, request_for):
    front = Front((Network.parse("127.0.0.1").network,))
    edge = Edge("edge-0", keyring, front=front)
    headers = {b"x-forwarded-for": b"198.51.100.1, 192.0.2.7", b"x-forwarded-host": DOMAIN.upper().encode()}
    request = request_for(f"/c/{token()}", host=b"127.0.0.1:8026", address="127.0.0.1", headers=headers)
    assert decide(request, edge, NOW, RANDOMNESS).hit.client_address == "192.0.2.7"
    liar = request_for(f"/c/{token()}", address="203.0.113.5", headers={b"x-forwarded-for": b"192.0.2.7"})
    assert decide(liar, edge, NOW, RANDOMNESS).hit.client_address == "203.0.113.5"
