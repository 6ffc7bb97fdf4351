from ipaddress import ip_network

import pytest

from waypost.geoip.address import block_of


@pytest.mark.parametrize(
    "address",
    [
        "", "localhost", "1.2.3", "1.2.3.4/24", "01.2.3.4", "1.2.3.4\0", "é", "1:2", "fe80::1%eth0",
        "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.1.1", "172.16.0.1", "172.31.9.9",
        "192.0.0.8", "192.0.2.1", "192.168.0.0", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7",
        "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "100::1", "2001::1", "2001:db8::1", "2002:808:808::1",
        "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "ff02::1",
    ],
)  # fmt: skip
def test_what_is_nowhere_on_the_internet_is_not_looked_for(address):
    assert block_of(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "172.15.1.1", "172.32.0.1",
        "192.0.1.1", "198.17.1.1", "198.20.0.1", "203.0.112.1", "203.0.114.1", "223.255.255.254",
        "2001:200::1", "2001:4860:4860::8888", "2003::1", "2a00:1450::1", "3ffe::1",
    ],
)  # fmt: skip
def test_a_public_address_is_one_address(address):
    block = block_of(address)
    assert (block.text(block.first), block.first) == (address, block.last)


@pytest.mark.parametrize(
    ("address", "network"),
    [("8.8.8.0", "8.8.8.0/24"), ("8.8.0.0", "8.8.0.0/24"), ("2a00:1450:4001::", "2a00:1450:4001::/48")],
)
def test_what_the_ip_policy_leaves_is_a_network(address, network):
    block = block_of(address)
    assert [block.first, block.last] == [int(ip_network(network)[0]), int(ip_network(network)[-1])]
