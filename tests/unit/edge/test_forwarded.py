"""Who the client is behind a front: the front's word, and never the client's own."""

import pytest

from waypost.config import ForwardedHeader, Network
from waypost.edge.forwarded import NO_FRONT, Front, client_of, host_of

NETWORKS = tuple(Network.parse(text).network for text in ("127.0.0.0/8", "::1/128", "10.0.0.0/8"))
FOR = Front(NETWORKS, ForwardedHeader.X_FORWARDED_FOR)
RFC7239 = Front(NETWORKS, ForwardedHeader.FORWARDED)

X_FORWARDED_FOR = {
    "one hop": ("127.0.0.1", "192.0.2.7", "192.0.2.7"),
    "what the client claimed stands to the left": ("127.0.0.1", "198.51.100.1, 192.0.2.7", "192.0.2.7"),
    "a second trusted hop is passed over": ("127.0.0.1", "198.51.100.1, 192.0.2.7, 10.0.0.9", "192.0.2.7"),
    "all are trusted": ("127.0.0.1", "10.0.0.1, 10.0.0.2", "10.0.0.1"),
    "no header": ("127.0.0.1", None, "127.0.0.1"),
    "from nobody we trust": ("192.0.2.99", "198.51.100.1", "192.0.2.99"),
    "IPv6": ("::1", "2001:db8::7", "2001:db8::7"),
    "IPv6 with brackets and port": ("::1", "[2001:db8::7]:443", "2001:db8::7"),
    "IPv4 with port": ("::1", "192.0.2.7:51234", "192.0.2.7"),
    "a mapped address is IPv4": ("::ffff:127.0.0.1", "::ffff:192.0.2.7", "192.0.2.7"),
    "unknown": ("127.0.0.1", "198.51.100.1, unknown", ""),
    "a name": ("127.0.0.1", "198.51.100.1, example.com", ""),
    "nothing after the comma": ("127.0.0.1", "198.51.100.1,", ""),
    "empty": ("127.0.0.1", "", ""),
    "no address at all": ("", "198.51.100.1", ""),
}


@pytest.mark.parametrize("name", X_FORWARDED_FOR)
def test_the_client_is_the_right_most_hop_that_is_not_ours(name):
    peer, header, client = X_FORWARDED_FOR[name]
    headers = {} if header is None else {b"x-forwarded-for": header.encode()}
    assert client_of(peer, headers, FOR) == client


FORWARDED = {
    "for=192.0.2.7": "192.0.2.7",
    'For="[2001:db8::7]:4711";proto=https': "2001:db8::7",
    "for=198.51.100.1, for=192.0.2.7;by=10.0.0.1, for=10.0.0.2": "192.0.2.7",
    "for=_hidden": "",
    "for=unknown": "",
    "proto=https": "",
    'for="198.51.100.1, for=192.0.2.7': "192.0.2.7",  # an open quote of the client's swallows nothing
}


@pytest.mark.parametrize("header", FORWARDED)
def test_so_it_is_in_the_header_of_rfc_7239(header):
    assert client_of("127.0.0.1", {b"forwarded": header.encode()}, RFC7239) == FORWARDED[header]


def test_only_the_header_that_the_front_writes_is_read():
    both = {b"x-forwarded-for": b"192.0.2.7", b"forwarded": b"for=198.51.100.1"}
    assert client_of("127.0.0.1", both, FOR) == "192.0.2.7"
    assert client_of("127.0.0.1", both, RFC7239) == "198.51.100.1"
    assert client_of("127.0.0.1", {b"forwarded": b"for=198.51.100.1"}, FOR) == "127.0.0.1"


def test_without_a_front_no_header_is_read():
    headers = {b"x-forwarded-for": b"192.0.2.7", b"x-forwarded-host": b"evil.example"}
    assert client_of("127.0.0.1", headers, NO_FRONT) == "127.0.0.1"
    assert host_of(b"links.example.com", "127.0.0.1", headers, NO_FRONT) == b"links.example.com"


def test_the_host_is_the_front_s_word_where_it_gives_one():
    headers = {b"x-forwarded-host": b"a.example, links.example.com"}
    assert host_of(b"edge.internal", "127.0.0.1", headers, FOR) == b"links.example.com"
    assert host_of(b"edge.internal", "127.0.0.1", {}, FOR) == b"edge.internal"
    assert host_of(b"edge.internal", "192.0.2.99", headers, FOR) == b"edge.internal"
    forwarded = {b"forwarded": b'for=192.0.2.7;host="links.example.com:443"', **headers}
    assert host_of(b"edge.internal", "127.0.0.1", forwarded, RFC7239) == b"links.example.com:443"


def test_a_header_of_a_thousand_hops_is_not_walked_to_its_end():
    value = b"198.51.100.1," + b"10.0.0.1," * 1000 + b"10.0.0.2"
    assert client_of("127.0.0.1", {b"x-forwarded-for": value}, FOR) == "10.0.0.1"


@pytest.mark.parametrize("hop", ["192.0.2.07", "192.0", "0xc0.0.2.7", "3221225991", "192.0.2.7\0", "1::2::3", "é", " "])
def test_what_is_not_written_as_an_address_is_none(hop):
    assert client_of("127.0.0.1", {b"x-forwarded-for": hop.encode("latin-1")}, FOR) == ""


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
        ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
        ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
        ("0.0.0.0/0", "198.51.100.1", "::1"),
        ("::/0", "::1", "127.0.0.1"),
    ],
)
def test_a_network_holds_its_addresses_and_no_others(network, inside, outside):
    front = Front((Network.parse(network).network,))
    assert front.trusts_peer(inside)
    assert not front.trusts_peer(outside)
