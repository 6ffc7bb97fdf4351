"""Which records a profile asks for."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from waypost.control.profiles.dkim import DkimRecord
from waypost.control.verification.records import Names, expected_records, related, waits_for_operator
from waypost.control.verification.suffixes import registrable_domain
from waypost.db.states import DkimAlgorithm
from waypost.db.tables import Profile

NOW = datetime(2026, 3, 29, tzinfo=UTC)
ACCOUNT = UUID("019cb7d4-0d59-7000-8000-000000000001")
NAMES = Names("edge.waypost.example", frozenset({"192.0.2.1", "2001:db8::1"}), "bounce.waypost.example", "")
DKIM = [
    DkimRecord("a._domainkey.shop.example", "v=DKIM1; k=rsa; p=QUJD", DkimAlgorithm.RSA),
    DkimRecord("b._domainkey.shop.example", "v=DKIM1; k=ed25519; p=REVG", DkimAlgorithm.ED25519),
]


def a_profile(**domains):
    return Profile(
        public_id=ACCOUNT,
        account=1,
        profile_name="p",
        created_at=NOW,
        modified_at=NOW,
        **{"sending_domain": "shop.example", "link_domain": "links.shop.example"} | domains,
    )


def records(names=NAMES, *, development=False, **domains):
    return expected_records(a_profile(**domains), DKIM, names, account_id=ACCOUNT, development=development)


def shown(purpose, *arguments, **more):
    found = [each for each in records(*arguments, **more) if each.purpose == purpose]
    return [(each.name, [(row.type, row.value) for row in each.rows], each.required) for each in found]


def test_of_the_two_keys_only_the_rsa_one_is_required():
    assert shown("dkim") == [("a._domainkey.shop.example", [("TXT", DKIM[0].value)], True)]
    assert shown("dkim_ed25519") == [("b._domainkey.shop.example", [("TXT", DKIM[1].value)], False)]


@pytest.mark.parametrize(
    ("link_domain", "names", "rows"),
    [
        ("links.shop.example", NAMES, [("CNAME", "edge.waypost.example")]),
        ("links.shop.example", replace(NAMES, edge_host=""), [("A", "192.0.2.1"), ("AAAA", "2001:db8::1")]),
        ("go.example", NAMES, [("A", "192.0.2.1"), ("AAAA", "2001:db8::1")]),
        ("shop.example", NAMES, [("A", "192.0.2.1"), ("AAAA", "2001:db8::1")]),
        ("go.example", replace(NAMES, edge_addresses=frozenset()), [("ALIAS", "edge.waypost.example")]),
        ("links.shop.example", Names("", frozenset(), "", ""), []),
        ("user.github.io", NAMES, [("A", "192.0.2.1"), ("AAAA", "2001:db8::1")]),
    ],
    ids=["below", "no-host", "apex", "sending-domain", "apex-without-addresses", "not-set-up", "private-suffix"],
)
def test_a_link_domain_is_an_alias_but_where_none_may_stand(link_domain, names, rows):
    assert shown("link", names, link_domain=link_domain) == [(link_domain, rows, True)]


@pytest.mark.parametrize(
    ("bounce_domain", "names", "bounce", "spf"),
    [
        ("", NAMES, None, None),
        ("b.shop.example", NAMES, [("CNAME", "bounce.waypost.example")], None),
        ("b.shop.example", replace(NAMES, spf="v=spf1 a -all"), [("CNAME", "bounce.waypost.example")], None),
        ("shop.example", NAMES, [("MX", "10 bounce.waypost.example")], []),
        (
            "shop.example",
            replace(NAMES, spf="v=spf1 a -all"),
            [("MX", "10 bounce.waypost.example")],
            [("TXT", "v=spf1 a -all")],
        ),
        ("b.shop.example", replace(NAMES, bounce_host="", spf="v=spf1 a -all"), [], [("TXT", "v=spf1 a -all")]),
        ("b.shop.example", replace(NAMES, bounce_host=""), [], []),
    ],
    ids=["none", "alias", "alias-needs-no-spf", "apex", "apex-with-spf", "spf-only", "nothing-set-up"],
)
def test_a_bounce_domain_is_an_alias_or_has_mx_and_spf(bounce_domain, names, bounce, spf):
    def expected(rows):
        return [] if rows is None else [(bounce_domain, rows, bool(rows))]

    assert shown("bounce", names, bounce_domain=bounce_domain) == expected(bounce)
    assert shown("spf", names, bounce_domain=bounce_domain) == expected(spf)


@pytest.mark.parametrize(
    ("names", "development", "purposes"),
    [
        (NAMES, False, []),
        (Names("", frozenset(), "", ""), False, ["bounce", "spf", "link"]),
        (Names("", frozenset(), "", ""), True, ["bounce", "spf"]),
        (Names("edge.waypost.example", frozenset(), "", "v=spf1 a -all"), False, ["bounce"]),
        (Names("", frozenset({"192.0.2.1"}), "bounce.waypost.example", ""), False, []),
    ],
)
def test_what_the_operator_has_not_said_is_named(names, development, purposes):
    profile = a_profile(bounce_domain="bounces.shop.example")
    assert [each.purpose for each in waits_for_operator(profile, names, development=development)] == purposes


@pytest.mark.parametrize(
    ("link_domain", "sending_domain", "is_related"),
    [
        ("links.shop.example", "shop.example", True),
        ("links.shop.example", "mail.shop.example", True),
        ("shop.example", "shop.example", True),
        ("links.shop.co.uk", "mail.shop.co.uk", True),
        ("links.shop.co.uk", "mail.other.co.uk", False),
        ("a.github.io", "b.github.io", False),
        ("go.example", "shop.example", False),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", True),
        ("co.uk", "co.uk", False),
        ("com", "com", False),
    ],
)
def test_a_stranger_has_to_be_told_from_an_owner_by_a_record_of_its_own(link_domain, sending_domain, is_related):
    assert related(link_domain, sending_domain) is is_related
    asked = shown("ownership", link_domain=link_domain, sending_domain=sending_domain)
    value = f"waypost-account={ACCOUNT}"
    assert asked == ([] if is_related else [(f"_waypost.{link_domain}", [("TXT", value)], True)])


def test_dmarc_is_advice_and_may_stand_at_the_registered_domain():
    (found,) = [each for each in records(sending_domain="mail.shop.example") if each.purpose == "dmarc"]
    assert (found.name, found.also, found.required) == ("_dmarc.mail.shop.example", "_dmarc.shop.example", False)
    (found,) = [each for each in records() if each.purpose == "dmarc"]
    assert (found.name, found.also) == ("_dmarc.shop.example", "")


def test_a_development_link_domain_needs_no_record():
    found = {each.purpose for each in records(development=True, link_domain="localhost")}
    assert found == {"dkim", "dkim_ed25519", "dmarc"}


@pytest.mark.parametrize(
    ("name", "registered"),
    [("a.b.shop.example", "shop.example"), ("shop.co.uk", "shop.co.uk"), ("co.uk", None), ("localhost", None)],
)
def test_the_registered_domain_is_what_the_public_suffix_list_says(name, registered):
    assert registrable_domain(name) == registered
