import pytest

from waypost.events.verdict.network import NetworkKind, kind_of, network_of


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("198.51.100.7", "198.51.100"),
        ("198.51.100.0", "198.51.100"),
        ("2001:db8:1:2::3", "2001:db8:1::"),
        ("2001:db8:1::", "2001:db8:1::"),
        ("::1", "::"),
        ("", ""),
        ("unknown", ""),
        ("not:an:address", ""),
    ],
)
def test_a_network_is_a_24_or_a_48(address, expected):
    assert network_of(address) == expected


@pytest.mark.parametrize(
    ("organisation", "kind"),
    [
        ("MICROSOFT-CORP-MSN-AS-BLOCK", NetworkKind.CLOUD),
        ("Amazon.com, Inc.", NetworkKind.CLOUD),
        ("Google LLC", NetworkKind.CLOUD),
        ("Google Fiber Inc.", NetworkKind.OTHER),
        ("PROOFPOINT-ASN-US-EAST", NetworkKind.MAIL_SECURITY),
        ("Mimecast Services Limited", NetworkKind.MAIL_SECURITY),
        ("Trend Micro Incorporated", NetworkKind.MAIL_SECURITY),
        ("ZSCALER, INC.", NetworkKind.OTHER),
        ("Cloudflare, Inc.", NetworkKind.OTHER),
        ("AKAMAI-ASN1", NetworkKind.OTHER),
        ("OVH SAS", NetworkKind.HOSTING),
        ("Hetzner Online GmbH", NetworkKind.HOSTING),
        ("Example Cloud Hosting", NetworkKind.HOSTING),
        ("T-Mobile USA, Inc.", NetworkKind.MOBILE),
        ("Cellco Partnership DBA Verizon Wireless", NetworkKind.MOBILE),
        ("Deutsche Telekom AG", NetworkKind.OTHER),
        ("Comcast Cable Communications, LLC", NetworkKind.OTHER),
        ("Mobiliar Versicherung", NetworkKind.OTHER),
        ("Lawson", NetworkKind.OTHER),
        ("", NetworkKind.OTHER),
    ],
)
def test_the_name_of_an_operator_tells_what_its_network_is_for(organisation, kind):
    assert kind_of(organisation) is kind
