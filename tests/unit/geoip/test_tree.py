import random
from ipaddress import ip_address

import maxminddb
import pytest
from tests.mmdb import write_mmdb

from waypost.geoip.tree import Tree


@pytest.fixture(params=[(bits, version) for bits in (24, 28, 32) for version in (4, 6)], ids=str)
def path(request, tmp_path):
    """Networks of every size, each with a record of its own, and enough of them for node numbers of three bytes."""
    record_bits, version = request.param
    rng = random.Random(record_bits + version)
    networks = [f"{rng.randrange(1, 224)}.{rng.randrange(256)}.{rng.randrange(256)}.0/24" for _ in range(6000)]
    networks += [f"{n}.{n}.0.0/{n}" for n in range(9, 33)]
    if version == 6:
        networks += [f"2a00:{n:x}::/{n}" for n in range(20, 129)]
    records = {network: {"network": n} for n, network in enumerate(networks)}
    return write_mmdb(tmp_path / "d.mmdb", records, ip_version=version, record_bits=record_bits)


def test_two_addresses_come_to_one_leaf_when_the_c_library_finds_one_record_for_both(path):
    reader = maxminddb.open_database(path)
    about = reader.metadata()
    tree = Tree(path.read_bytes(), nodes=about.node_count, record_bits=about.record_size, ip_version=about.ip_version)
    rng = random.Random(1)
    asked = {32: [rng.randrange(1 << 32) for _ in range(3000)]}
    if about.ip_version == 6:
        asked[128] = [0x2A00 << 112 | rng.randrange(160) << 96 | rng.randrange(4) << 70 for _ in range(3000)]
    for network, _ in reader:
        first = int(network.network_address)
        asked[32 if first < 1 << 32 else 128].append(first)
    records = {}
    for bits, addresses in asked.items():
        for address, leaf in zip(addresses, tree.leaves(addresses, bits), strict=True):
            record = reader.get(ip_address(address.to_bytes(bits // 8, "big")))
            assert records.setdefault(leaf, record) == record
    known = [record["network"] for record in records.values() if record]
    assert len(known) == len(set(known)) > 5900
    assert list(records.values()).count(None) == 1


@pytest.mark.parametrize(
    ("record_bits", "node", "leaves"),
    [
        (24, "abcdef 123456", [0xABCDEF, 0x123456]),
        (28, "abcdef 79 123456", [0x7ABCDEF, 0x9123456]),
        (32, "7abcdef0 12345678", [0x7ABCDEF0, 0x12345678]),
    ],
)
def test_a_record_has_all_of_its_bits(record_bits, node, leaves):
    tree = Tree(bytes.fromhex(node) + bytes(16), nodes=1, record_bits=record_bits, ip_version=4)
    assert tree.leaves([0, 1 << 31], 32) == leaves


def test_a_file_that_is_shorter_than_its_tree_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        Tree(bytes(600), nodes=100, record_bits=24, ip_version=6)
