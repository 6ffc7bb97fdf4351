"""The DNS records that a sending profile asks its owner to publish."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from waypost.config import Settings
from waypost.control.profiles.dkim import DkimRecord
from waypost.control.verification.answers import RecordType
from waypost.control.verification.suffixes import registrable_domain
from waypost.db.states import DkimAlgorithm
from waypost.db.tables import Profile

OWNERSHIP_LABEL: Final = "_waypost"
DMARC_VALUE: Final = "v=DMARC1; p=none"
"""Asks for nothing and breaks nothing; that there is a policy is what large mailbox providers want."""
_MX_PREFERENCE: Final = 10


class Purpose(StrEnum):
    """What is looked at."""

    DKIM = "dkim"
    DKIM_ED25519 = "dkim_ed25519"
    BOUNCE = "bounce"
    SPF = "spf"
    LINK = "link"
    OWNERSHIP = "ownership"
    DMARC = "dmarc"
    TLS = "tls"
    """HTTPS on the link domain: no record, and looked at all the same."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record, as it is typed in."""

    type: RecordType
    value: str


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to stand at one name.

    Attributes:
        purpose: of the record.
        name: full, without final dot.
        rows: the records; none when the operator has not said yet what they hold.
        required: the profile is active only with it; else it is advice.
        also: another name where it may stand instead.
        relied_on: it was there, and something counts on it: that it is gone is believed when two servers agree.
    """

    purpose: Purpose
    name: str
    rows: tuple[Row, ...]
    required: bool
    also: str = ""
    relied_on: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """What this install is called in DNS.

    Attributes:
        edge_host: the name that link domains are aliases of; may be empty.
        edge_addresses: of the edges, as text in its canonical form.
        bounce_host: the name that takes bounces; may be empty.
        spf: an SPF record that names who sends for this install; may be empty.
    """

    edge_host: str
    edge_addresses: frozenset[str]
    bounce_host: str
    spf: str


def names_of(settings: Settings) -> Names:
    """As the settings have them."""
    dns = settings.dns
    return Names(dns.edge_host, frozenset(map(str, dns.edge_addresses)), dns.bounce_host, settings.mail.spf)


def waits_for_operator(profile: Profile, names: Names, *, development: bool) -> list[Expected]:
    """Those of a profile's records that cannot be told before the operator has set something; arguments as below."""
    told = [*_bounce(profile, names), *([] if development else [_link(profile, names)])]
    return [expected for expected in told if not expected.rows]


def ownership_value(account_id: UUID) -> str:
    """What an owner of a link domain writes into DNS to say which account it is of.

    The account's public id: to know it is of no use to anybody who cannot write into the domain's zone.
    """
    return f"waypost-account={account_id}"


def related(link_domain: str, sending_domain: str) -> bool:
    """Whether both lie under one registered domain, so that a proof for one speaks for the other."""
    registered = registrable_domain(link_domain)
    return registered is not None and registered == registrable_domain(sending_domain)


def expected_records(
    profile: Profile, dkim: Sequence[DkimRecord], names: Names, *, account_id: UUID, development: bool
) -> list[Expected]:
    """Everything a profile asks for, in the order in which it is shown.

    Args:
        profile: with its domains.
        dkim: its keys' records.
        names: of this install.
        account_id: public id of the profile's account.
        development: the link domain is one for development, and needs nothing in DNS.
    """
    expected = [_dkim(record) for record in dkim]
    expected += _bounce(profile, names)
    if not development:
        expected.append(_link(profile, names))
        if not related(profile.link_domain, profile.sending_domain):
            value = ownership_value(account_id)
            name = f"{OWNERSHIP_LABEL}.{profile.link_domain}"
            expected.append(Expected(Purpose.OWNERSHIP, name, (Row(RecordType.TXT, value),), required=True))
    expected.append(_dmarc(profile))
    return expected


def _dkim(record: DkimRecord) -> Expected:
    rsa = record.algorithm is DkimAlgorithm.RSA
    purpose = Purpose.DKIM if rsa else Purpose.DKIM_ED25519
    return Expected(purpose, record.name, (Row(RecordType.TXT, record.value),), required=rsa, relied_on=record.seen)


def _bounce(profile: Profile, names: Names) -> list[Expected]:
    """A CNAME where nothing else can stand at the name, else MX and SPF: what the operator has not said is advice."""
    domain = profile.bounce_domain
    if not domain:
        return []
    if names.bounce_host and not _holds_more(domain, profile):
        return [Expected(Purpose.BOUNCE, domain, (Row(RecordType.CNAME, names.bounce_host),), required=True)]
    mx = (Row(RecordType.MX, f"{_MX_PREFERENCE} {names.bounce_host}"),) if names.bounce_host else ()
    spf = (Row(RecordType.TXT, names.spf),) if names.spf else ()
    return [
        Expected(Purpose.BOUNCE, domain, mx, required=bool(mx)),
        Expected(Purpose.SPF, domain, spf, required=bool(spf)),
    ]


def _link(profile: Profile, names: Names) -> Expected:
    domain = profile.link_domain
    at_apex = _holds_more(domain, profile)
    if names.edge_host and not at_apex:
        rows = [Row(RecordType.CNAME, names.edge_host)]
    elif names.edge_addresses:
        # IPv4 first: "." sorts before ":" only by type.
        ordered = sorted(names.edge_addresses, key=lambda address: (":" in address, address))
        rows = [Row(RecordType.AAAA if ":" in address else RecordType.A, address) for address in ordered]
    elif names.edge_host:
        rows = [Row(RecordType.ALIAS, names.edge_host)]
    else:
        rows = []
    return Expected(Purpose.LINK, domain, tuple(rows), required=True)


def _dmarc(profile: Profile) -> Expected:
    """RFC 7489, section 6.6.3: the policy of the registered domain counts where the sending domain has none."""
    registered = registrable_domain(profile.sending_domain)
    also = f"_dmarc.{registered}" if registered not in {None, profile.sending_domain} else ""
    row = Row(RecordType.TXT, DMARC_VALUE)
    return Expected(Purpose.DMARC, f"_dmarc.{profile.sending_domain}", (row,), required=False, also=also)


def _holds_more(domain: str, profile: Profile) -> bool:
    """Whether other records are sure to stand at the name, so that no CNAME may (RFC 1034, section 3.6.2)."""
    return domain in {registrable_domain(domain), profile.sending_domain}
