"""Networks: which one an address is in, and what the name of its operator tells.

There are lists of hosting networks by AS number, and none that may be passed on (CAIDA's, IPinfo's and PeeringDB's
forbid it or ask for an agreement). So names are read: a database of AS numbers has them, whatever database it is.
"""

import re
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

_REMEMBERED: Final = 8192


class NetworkKind(StrEnum):
    """Who is to be expected in a network."""

    MAIL_SECURITY = "mail_security"
    CLOUD = "cloud"
    HOSTING = "hosting"
    MOBILE = "mobile"
    OTHER = "other"

    # An enum's own takes a function call in Python.
    __hash__ = str.__hash__


DATA_CENTRES: Final = frozenset({NetworkKind.MAIL_SECURITY, NetworkKind.CLOUD, NetworkKind.HOSTING})

_MAIL_SECURITY: Final = (
    r"proofpoint|mimecast|barracuda|messagelabs|ironport|hornetsecurity|trend ?micro|sophos|fireeye|trellix|cyren"
    r"|vade ?secure|avanan|retarus|spamexperts|fortinet"
)
_HOSTING: Final = (
    r"hosting|hosted|hostinger|hosts?|servers?|data ?cent(?:er|re)s?|datacamp|cloud|vps|colo(?:cation)?|ovh|hetzner"
    r"|digitalocean|linode|vultr|choopa|constant company|leaseweb|m247|contabo|scaleway|ionos|oracle|alibaba|tencent"
    r"|softlayer|rackspace"
)
# First match wins; whole words, in any case.
_KINDS: Final = tuple(
    (kind, re.compile(rf"(?<![a-z])(?:{words})(?![a-z])", re.IGNORECASE))
    for kind, words in (
        # People: Apple hands readers' requests out through these (iCloud Private Relay), Zscaler and Netskope are the
        # way to the web of whole companies, Google Fiber is for homes. https://mask-api.icloud.com/egress-ip-ranges.csv
        (NetworkKind.OTHER, r"cloudflare\w*|akamai\w*|fastly|zscaler\w*|netskope|google fiber|icloud"),
        # Companies whose networks carry checks of mail. Not those whose networks carry people's browsing as well.
        (
            NetworkKind.MAIL_SECURITY,
            _MAIL_SECURITY,
        ),
        # Words that phone companies put into the names of their mobile networks.
        (NetworkKind.MOBILE, r"mobile|wireless|cellular|cellco|celular|movil|moviles|mobil|t-mobile|gprs|lte"),
        # Where checks of mail run: Microsoft's in its own cloud (https://github.com/warmbly/warmbly/issues/410,
        # https://github.com/gophish/gophish/issues/2646), others' mostly in Amazon's and Google's.
        (NetworkKind.CLOUD, r"microsoft\w*|amazon\w*|aws|google\w*"),
        # Servers for rent. Commercial VPNs and exits of Tor are here too, and so people.
        (
            NetworkKind.HOSTING,
            _HOSTING,
        ),
    )
)


@lru_cache(maxsize=_REMEMBERED)
def kind_of(as_organisation: str) -> NetworkKind:
    """What the name of a network's operator tells; OTHER when it tells nothing."""
    for kind, words in _KINDS:
        if words.search(as_organisation):
            return kind
    return NetworkKind.OTHER


@lru_cache(maxsize=_REMEMBERED)
def network_of(address: str) -> str:
    """The /24 (IPv4) or /48 (IPv6) that an address is in: what one house, office or rack has. Empty for none.

    What is no address has no network: a verdict on its neighbours must not fail because of it.
    """
    if ":" not in address:
        return address.rpartition(".")[0]
    try:
        return str(IPv6Address(int(IPv6Address(address)) >> 80 << 80))
    except ValueError:
        return ""
