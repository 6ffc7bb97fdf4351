import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest

from waypost.edge.answer import METHOD_NOT_ALLOWED, NOT_FOUND, OPEN_PIXEL, PIXEL, ROBOTS, SAFE_HEADERS
from waypost.edge.decide import (
    KEPT_HEADERS,
    Decision,
    Edge,
    Request,
    decide,
    kept_headers,
    link_domain_of,
    recorded_address,
    split_target,
)
from waypost.events.hit import Hit, HitKind, Outcome
from waypost.links.keyring import Keyring
from waypost.links.token import IpPolicy, Kind, Privacy
from waypost.spool.counters import Seen

from .conftest import DESTINATION, DOMAIN, SEND

NOW = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)
RANDOMNESS = bytes(10)

Token = Callable[..., str]
RequestFor = Callable[..., Request]


def test_a_click_is_redirected_to_exactly_its_destination_and_recorded(
    edge: Edge, token: Token, request_for: RequestFor
) -> None:
    request = request_for(f"/c/{token()}", headers={b"user-agent": b"Mozilla/5.0", b"cookie": b"a=b"})
    decision = decide(request, edge, NOW, RANDOMNESS)
    assert decision.answer.status == 302
    assert decision.answer.headers == (
        ("Location", DESTINATION),
        ("Cache-Control", "no-store"),
        ("X-Robots-Tag", "noindex"),
        ("Referrer-Policy", "no-referrer"),
    )
    assert decision.answer.body == b""
    assert decision.hit == Hit(
        event_id=UUID("019cb73d-3271-7000-8000-000000000000"),
        occurred_at=NOW,
        edge="edge-0",
        kind=HitKind.CLICK,
        outcome=Outcome.ANSWERED,
        method="GET",
        send_id=SEND,
        account=7,
        profile=8,
        link_index=3,
        destination=DESTINATION,
        link_domain=DOMAIN,
        client_address="192.0.2.33",
        headers={"user-agent": "Mozilla/5.0"},
    )


def test_an_open_is_a_43_byte_gif_and_recorded(edge: Edge, token: Token, request_for: RequestFor) -> None:
    decision = decide(request_for(f"/o/{token(kind=Kind.OPEN)}.gif"), edge, NOW, RANDOMNESS)
    assert decision.answer == OPEN_PIXEL
    assert len(PIXEL) == 43
    assert ("Content-Type", "image/gif") in decision.answer.headers
    assert decision.hit is not None
    assert (decision.hit.kind, decision.hit.destination) == (HitKind.OPEN, "")


# {c} and {o} stand for a click's and an open's token.
REDIRECTED = [
    "/c/{c}?fbclid=abc",
    "/c/{c}?https://evil.example/",
    "/c/{c}?",
    "http://links.example.com/c/{c}",
    "HTTPS://LINKS.example.com:8443/c/{c}?x",
]


@pytest.mark.parametrize("target", REDIRECTED)
def test_what_a_client_appends_changes_nothing(edge: Edge, token: Token, request_for: RequestFor, target: str) -> None:
    decision = decide(request_for(target.format(c=token())), edge, NOW, RANDOMNESS)
    assert decision.answer.headers[0] == ("Location", DESTINATION)


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        ("/", Seen.REFUSED_PATH),
        ("", Seen.REFUSED_PATH),
        ("*", Seen.REFUSED_PATH),
        ("/x/c/{c}", Seen.REFUSED_PATH),
        ("ftp://links.example.com/c/{c}", Seen.REFUSED_PATH),
        ("http://evil.example/c/{c}", Seen.REFUSED_BAD_SEAL),
        ("/c/", Seen.REFUSED_MALFORMED),
        ("/where/", Seen.REFUSED_MALFORMED),
        ("/where/{o}", Seen.REFUSED_MALFORMED),
        ("/c/{o}", Seen.REFUSED_MALFORMED),
        ("/o/{c}.gif", Seen.REFUSED_MALFORMED),
        ("/o/.gif", Seen.REFUSED_MALFORMED),
        ("/c/https://evil.example/", Seen.REFUSED_MALFORMED),
        ("/c/{other_key}", Seen.REFUSED_UNKNOWN_KEY),
        ("/c/{other_domain}", Seen.REFUSED_BAD_SEAL),
        ("/.well-known/waypost/short", Seen.REFUSED_PATH),
        ("/.well-known/waypost/0123456789abcdef/x", Seen.REFUSED_PATH),
    ],
)
def test_everything_else_is_one_and_the_same_page_and_is_not_recorded(
    edge: Edge, token: Token, request_for: RequestFor, keyring: Keyring, target: str, seen: Seen
) -> None:
    known = token()
    tokens = {
        "c": known,
        "o": token(kind=Kind.OPEN),
        "other_domain": token("links.other.example"),
        "other_key": known[:1] + "Q" + "I" + known[3:],  # key id 2
    }
    decision = decide(request_for(target.format(**tokens)), edge, NOW, RANDOMNESS)
    assert decision == Decision(NOT_FOUND, seen)
    assert keyring.ciphers.keys() == {1}


def test_an_altered_token_is_not_found(edge: Edge, token: Token, request_for: RequestFor) -> None:
    text = token()
    for position in range(len(text)):
        altered = text[:position] + ("A" if text[position] != "A" else "B") + text[position + 1 :]
        assert decide(request_for(f"/c/{altered}"), edge, NOW, RANDOMNESS).answer == NOT_FOUND


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"OPTIONS", b"get", b"CONNECT", b""])
@pytest.mark.parametrize("target", ["/", "/c/{c}", "/robots.txt"])
def test_other_methods_are_refused_whatever_they_ask_for(
    edge: Edge, token: Token, request_for: RequestFor, method: bytes, target: str
) -> None:
    decision = decide(request_for(target.format(c=token()), method=method), edge, NOW, RANDOMNESS)
    assert decision == Decision(METHOD_NOT_ALLOWED, Seen.REFUSED_METHOD)
    assert ("Allow", "GET, HEAD") in decision.answer.headers


@pytest.mark.parametrize(
    ("method", "headers", "outcome"),
    [
        (b"GET", {}, Outcome.ANSWERED),
        (b"HEAD", {}, Outcome.HEAD),
        (b"GET", {b"sec-purpose": b"prefetch"}, Outcome.PREFETCH),
        (b"GET", {b"sec-purpose": b"prefetch;prerender"}, Outcome.PREFETCH),
        (b"GET", {b"purpose": b"Prefetch"}, Outcome.PREFETCH),
        (b"GET", {b"x-moz": b"prefetch"}, Outcome.PREFETCH),
        (b"GET", {b"x-purpose": b"preview"}, Outcome.PREFETCH),
        (b"HEAD", {b"purpose": b"prefetch"}, Outcome.PREFETCH),
        (b"GET", {b"purpose": b"reading"}, Outcome.ANSWERED),
    ],
)
def test_the_answer_is_the_same_and_the_outcome_says_who_may_have_asked(
    edge: Edge, token: Token, request_for: RequestFor, method: bytes, headers: dict[bytes, bytes], outcome: Outcome
) -> None:
    decision = decide(request_for(f"/c/{token()}", method=method, headers=headers), edge, NOW, RANDOMNESS)
    assert decision.answer.headers[0] == ("Location", DESTINATION)
    assert decision.hit is not None
    assert (decision.hit.outcome, decision.hit.method) == (outcome, method.decode())


def test_robots_are_sent_away(edge: Edge, request_for: RequestFor) -> None:
    assert decide(request_for("/robots.txt"), edge, NOW, RANDOMNESS) == Decision(ROBOTS, Seen.FIXED)


def test_an_anonymous_token_records_no_send(edge: Edge, token: Token, request_for: RequestFor) -> None:
    text = token(send_id=None, privacy=Privacy.ANONYMOUS, ip_policy=IpPolicy.NONE)
    hit = decide(request_for(f"/c/{text}"), edge, NOW, RANDOMNESS).hit
    assert hit is not None
    assert (hit.send_id, hit.privacy, hit.client_address) == (None, Privacy.ANONYMOUS, "")


@pytest.mark.parametrize(
    ("policy", "address", "recorded"),
    [
        (IpPolicy.FULL, "192.0.2.33", "192.0.2.33"),
        (IpPolicy.FULL, "2001:db8:1:2:3::4", "2001:db8:1:2:3::4"),
        (IpPolicy.FULL, "::ffff:192.0.2.33", "192.0.2.33"),
        (IpPolicy.FULL, "fe80::1%eth0", "fe80::1"),
        (IpPolicy.FULL, "", ""),
        (IpPolicy.TRUNCATED, "192.0.2.33", "192.0.2.0"),
        (IpPolicy.TRUNCATED, "2001:db8:1:2:3::4", "2001:db8:1::"),
        (IpPolicy.TRUNCATED, "::ffff:192.0.2.33", "192.0.2.0"),
        (IpPolicy.TRUNCATED, "::1", "::"),
        (IpPolicy.TRUNCATED, "", ""),
        (IpPolicy.NONE, "192.0.2.33", ""),
        (IpPolicy.NONE, "2001:db8:1:2:3::4", ""),
    ],
)
def test_no_more_of_the_address_is_recorded_than_the_token_allows(
    policy: IpPolicy, address: str, recorded: str
) -> None:
    assert recorded_address(address, policy) == recorded


@pytest.mark.parametrize(
    ("host", "link_domain"),
    [
        ("links.example.com", "links.example.com"),
        ("Links.Example.COM:8443", "links.example.com"),
        ("localhost:8026", "localhost"),
        ("links.example.com.", "links.example.com"),
        ("links.example.com.:443", "links.example.com"),
        ("[::1]:8026", "[::1]"),
        ("[::1", ""),
        ("", ""),
    ],
)
def test_the_link_domain_is_the_host_in_lower_case_without_port(host: str, link_domain: str) -> None:
    assert link_domain_of(host) == link_domain


def test_long_hosts_are_not_remembered_at_their_length(edge: Edge, request_for: Callable[..., Request]) -> None:
    """A thousand of 100 KB each would be 200 MB."""
    tracemalloc.start()
    try:
        for number in range(200):
            decide(request_for("/c/x", host=b"%d." % number + bytes(100_000)), edge, NOW, RANDOMNESS)
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        (b"/c/x?y#z", "/c/x", "h"),
        (b"/", "/", "h"),
        (b"http://other/c/x?y", "/c/x", "other"),
        (b"http://other", "/", "other"),
        (b"*", "", ""),
        (b"other:443", "", ""),
        (b"", "", ""),
    ],
)
def test_the_query_is_dropped_and_an_absolute_target_names_the_host(target: bytes, path: str, host: str) -> None:
    assert split_target(target, b"h") == (path, host)


def test_headers_are_kept_by_the_table_and_capped_in_bytes() -> None:
    for name, cap in KEPT_HEADERS.items():
        assert kept_headers({name.encode(): b"a" * 10_000}) == {name: "a" * cap}
    assert kept_headers({b"cookie": b"secret=1", b"referer": b"https://mail.example/inbox/7"}) == {}


def test_what_is_kept_of_all_headers_fits_a_record_many_times() -> None:
    assert sum(KEPT_HEADERS.values()) < 4096


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(b"caf\xc3\xa9", "café"), (b"caf\xe9!", "caf!"), (b"x" * 511 + b"\xc3\xa9", "x" * 511), (b"\xed\xa0\x80", "")],
)
def test_a_header_that_is_not_utf_8_is_kept_without_the_odd_bytes(sent: bytes, kept: str) -> None:
    assert kept_headers({b"user-agent": sent}) == {"user-agent": kept}


def test_no_answer_sets_a_cookie_or_may_be_cached() -> None:
    for answer in (NOT_FOUND, METHOD_NOT_ALLOWED, OPEN_PIXEL, ROBOTS):
        names = {name.lower() for name, _ in answer.headers}
        assert set(SAFE_HEADERS) <= set(answer.headers)
        assert "set-cookie" not in names
