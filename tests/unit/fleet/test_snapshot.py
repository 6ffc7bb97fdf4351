"""The snapshot: what it says, whom it believes, and every spelling of a blocked host (L7, S3)."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from waypost.fleet.errors import SnapshotForged, SnapshotKeyUnknown, SnapshotMalformed
from waypost.fleet.snapshot import (
    BlockKind,
    Blocks,
    PublishedDomain,
    Snapshot,
    decode_snapshot,
    destination_host,
    encode_snapshot,
    link_digest,
    snapshot_mac,
)
from waypost.links.keyring import Keyring
from waypost.links.token import Kind, Payload

KEYRING = Keyring.new(b"k" * 64)
SEND = UUID("01890000-0000-7000-8000-000000000001")
PAYLOAD = Payload(Kind.CLICK, 7, 8, 2, "https://shop.example/sale?a=1", SEND)
SNAPSHOT = Snapshot(
    version=1_795_000_000_000,
    published_at=datetime(2026, 11, 24, 12, tzinfo=UTC),
    link_domains={"links.example.com": PublishedDomain("https://example.com/", "example.com")},
    blocks=Blocks(
        links=frozenset({link_digest(7, "https://bad.example/")}), sends=frozenset({SEND}), hosts=frozenset({"a.b"})
    ),
)


def test_a_snapshot_reads_back_as_it_was_published():
    assert decode_snapshot(encode_snapshot(SNAPSHOT, KEYRING), KEYRING) == SNAPSHOT


def test_an_edge_believes_a_snapshot_of_any_key_it_holds():
    rolled = KEYRING.add(b"n" * 64)
    assert decode_snapshot(encode_snapshot(SNAPSHOT, KEYRING), rolled.promote(2)) == SNAPSHOT
    with pytest.raises(SnapshotKeyUnknown) as raised:
        decode_snapshot(encode_snapshot(SNAPSHOT, rolled.promote(2)), KEYRING)
    assert raised.value.key_id == 2


def test_two_snapshots_of_other_facts_or_another_key_have_other_macs():
    rolled = KEYRING.add(b"n" * 64)
    later = msgspec.structs.replace(SNAPSHOT, blocks=Blocks())
    made = [
        encode_snapshot(SNAPSHOT, KEYRING),
        encode_snapshot(SNAPSHOT, rolled.promote(2)),
        encode_snapshot(later, KEYRING),
    ]
    assert len({snapshot_mac(data) for data in made}) == len(made)
    assert snapshot_mac(made[0]) == snapshot_mac(encode_snapshot(SNAPSHOT, rolled))


def test_no_altered_byte_passes():
    data = encode_snapshot(SNAPSHOT, KEYRING)
    for at in range(len(data)):
        with pytest.raises((SnapshotForged, SnapshotMalformed, SnapshotKeyUnknown)):
            decode_snapshot(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], KEYRING)


def test_who_lacks_the_key_cannot_make_one():
    other = Keyring.new(b"x" * 64)
    data = encode_snapshot(SNAPSHOT, other)
    with pytest.raises(SnapshotKeyUnknown, match="that of the keyring is another one"):
        decode_snapshot(data, KEYRING)
    for claimed in (KEYRING.minting.fingerprint, ""):
        with pytest.raises(SnapshotForged):
            decode_snapshot(data.replace(other.minting.fingerprint.encode(), claimed.encode()), KEYRING)


def test_damage_is_not_taken_for_a_key_that_the_keyring_lacks():
    """A core that has an old copy of its keyring does not start, and one whose snapshot is damaged writes it anew."""
    data = encode_snapshot(SNAPSHOT, KEYRING)
    fingerprint = data.index(KEYRING.minting.fingerprint.encode())
    for at in {*range(len(data))} - {*range(fingerprint, fingerprint + 8)}:
        with pytest.raises((SnapshotForged, SnapshotMalformed)):
            decode_snapshot(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], KEYRING)


def test_a_snapshot_of_a_release_that_did_not_say_its_key_s_fingerprint_is_judged_by_its_key_id():
    body = msgspec.json.encode(SNAPSHOT)
    for key_id, error in ((1, SnapshotForged), (2, SnapshotKeyUnknown)):
        with pytest.raises(error):
            decode_snapshot(b"waypost-snapshot-1 %d %s\n%s" % (key_id, b"0" * 64, body), KEYRING)


@pytest.mark.parametrize("data", [b"", b"\n", b"waypost-snapshot-2 1 " + b"0" * 64 + b"\n{}", b"{}", b"\0" * 100])
def test_what_is_no_snapshot_is_said_to_be_none(data):
    with pytest.raises(SnapshotMalformed):
        decode_snapshot(data, KEYRING)


BLOCKED = {
    "nothing": (Blocks(), None),
    "its key": (Blocks(keys=frozenset({1})), BlockKind.KEY),
    "another key": (Blocks(keys=frozenset({2})), None),
    "its account": (Blocks(accounts=frozenset({7})), BlockKind.ACCOUNT),
    "another account": (Blocks(accounts=frozenset({8})), None),
    "its profile": (Blocks(profiles=frozenset({8})), BlockKind.PROFILE),
    "another profile": (Blocks(profiles=frozenset({7})), None),
    "its send": (Blocks(sends=frozenset({SEND})), BlockKind.SEND),
    "its destination's host": (Blocks(hosts=frozenset({"shop.example"})), BlockKind.HOST),
    "the domain above": (Blocks(hosts=frozenset({"*.example"})), BlockKind.HOST),
    "its host's subdomains": (Blocks(hosts=frozenset({"*.shop.example"})), None),
    "its link": (Blocks(links=frozenset({link_digest(7, PAYLOAD.destination)})), BlockKind.LINK),
    "another's same link": (Blocks(links=frozenset({link_digest(8, PAYLOAD.destination)})), None),
}


@pytest.mark.parametrize("name", BLOCKED)
def test_a_block_refuses_what_it_names_and_nothing_else(name):
    blocks, kind = BLOCKED[name]
    assert blocks.blocking(PAYLOAD, 1) is kind
    assert bool(blocks) is (name != "nothing")


def test_an_open_has_no_host_to_block():
    hosts = Blocks(hosts=frozenset({"*.example", "shop.example"}))
    assert hosts.blocking(Payload(Kind.OPEN, 7, 8, send_id=SEND), 1) is None


HOSTS = {
    "https://evil.example": "evil.example",
    "https://evil.example/": "evil.example",
    "HTTPS://EVIL.example/path": "evil.example",
    "https://evil.example:8443/": "evil.example",
    "https://good.example@evil.example/": "evil.example",
    "https://a:b@c:d@evil.example/": "evil.example",
    "https://evil.example./": "evil.example",
    "https://%65vil.ex%61mple/": "evil.example",
    "https://evil.example?x=/@good.example": "evil.example",
    "https://evil.example#@good.example": "evil.example",
    "http://[2001:DB8::1]:80/": "[2001:db8::1]",
    "http://127.0.0.1/": "127.0.0.1",
    "http://2130706433/": "127.0.0.1",
    "http://0x7f.1/": "127.0.0.1",
    "http://0177.0.0.01/": "127.0.0.1",
    "http://0x7F000001/": "127.0.0.1",
    "http://127.0.0.1./": "127.0.0.1",
    "http://00000000000000000000000000000000177.1/": "127.0.0.1",
    "http://[2001:0db8:0:0:0:0:0:1]/": "[2001:db8::1]",
    "http://[::ffff:127.0.0.1]/": "[::ffff:7f00:1]",
    "https://ev%C2%ADil.example/": "evil.example",
    "https://%ef%bd%85vil.example/": "evil.example",
    "https://evil%e3%80%82example/": "evil.example",
    "https://fa%C3%9F.example/": "xn--fa-hia.example",
    "https://XN--FA-hia.example/": "xn--fa-hia.example",
    "https://%F0%9F%92%A9.example/": "xn--ls8h.example",
    "http://256.0.0.1/": "",
    "http://1.2.3.4.5/": "",
    "http://4294967296/": "",
    "https://evil.example:65536/": "",
    "http://1.2.3.example/": "1.2.3.example",
    "http://0x/": "0.0.0.0",
}


@pytest.mark.parametrize("url", HOSTS)
def test_the_host_is_the_one_a_browser_goes_to(url):
    assert destination_host(url) == HOSTS[url]
