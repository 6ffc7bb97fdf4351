"""What a DNS message says of a name."""

from itertools import pairwise

import dns.message
import pytest

from waypost.control.verification.answers import Outcome, RecordType, Reply
from waypost.control.verification.message import MAX_CNAMES, is_unfinished, joined, read

SOA = "shop.example. 900 IN SOA ns.shop.example. hostmaster.shop.example. 1 2 3 4 60"


def message(answer="", authority="", *, rcode="NOERROR", flags="QR AA", question="links.shop.example. IN A"):
    sections = [f"id 1\nopcode QUERY\nrcode {rcode}\nflags {flags}\n;QUESTION\n{question}"]
    sections += [f";{name}\n{text}" for name, text in (("ANSWER", answer), ("AUTHORITY", authority)) if text]
    return dns.message.from_text("\n".join(sections))


def reply(*arguments, kind=RecordType.A, authoritative=True, **more):
    return read(message(*arguments, **more), "links.shop.example", kind, authoritative=authoritative)


def test_addresses_are_read_in_a_fixed_order_with_the_time_they_are_kept():
    found = reply("links.shop.example. 300 IN A 192.0.2.2\nlinks.shop.example. 300 IN A 192.0.2.1")
    assert found == Reply(Outcome.FOUND, ("links.shop.example",), ("192.0.2.1", "192.0.2.2"), 300)


def test_aliases_are_followed_in_whatever_order_and_letter_case_they_come():
    found = reply(
        "b.example. 60 IN A 192.0.2.1\nLINKS.shop.example. 300 IN CNAME A.example.\na.example. 90 IN CNAME b.example."
    )
    assert found == Reply(Outcome.FOUND, ("links.shop.example", "a.example", "b.example"), ("192.0.2.1",), 60)


def test_an_alias_to_somewhere_else_has_still_to_be_followed():
    found = reply("links.shop.example. 300 IN CNAME a.example.")
    assert found == Reply(Outcome.FOUND, ("links.shop.example", "a.example"), (), 300)
    assert is_unfinished(found, ())
    assert not is_unfinished(found, {"a.example"})


def test_a_circle_is_seen_as_one():
    found = reply("links.shop.example. 300 IN CNAME a.example.\na.example. 300 IN CNAME links.shop.example.")
    assert (found.outcome, found.path) == (
        Outcome.CIRCLE,
        ("links.shop.example", "a.example", "links.shop.example"),
    )


def test_a_circle_over_several_messages_is_seen_as_one():
    first = ("links.shop.example", "a.example")
    assert joined(first, Reply(Outcome.FOUND, ("a.example", "b.example"))).path == (*first, "b.example")
    found = joined((*first, "b.example"), Reply(Outcome.FOUND, ("b.example", "a.example")))
    assert (found.outcome, found.path) == (Outcome.CIRCLE, (*first, "b.example", "a.example"))


@pytest.mark.parametrize(("aliases", "outcome"), [(MAX_CNAMES, Outcome.FOUND), (MAX_CNAMES + 1, Outcome.TOO_LONG)])
def test_a_chain_is_followed_so_far_and_no_further(aliases, outcome):
    names = ["links.shop.example", *(f"a{number}.example" for number in range(aliases))]
    chain = [f"{name}. 60 IN CNAME {target}." for name, target in pairwise(names)]
    assert reply("\n".join([*chain, f"{names[-1]}. 60 IN A 192.0.2.1"])).outcome is outcome


@pytest.mark.parametrize(("rcode", "outcome"), [("NXDOMAIN", Outcome.NO_NAME), ("NOERROR", Outcome.NO_RECORD)])
def test_what_is_not_there_is_not_there_for_as_long_as_the_zone_says(rcode, outcome):
    assert reply("", SOA, rcode=rcode) == Reply(outcome, ("links.shop.example",), (), 60)


def test_an_alias_whose_target_is_not_there_leads_nowhere():
    found = reply("links.shop.example. 300 IN CNAME a.shop.example.", SOA, rcode="NXDOMAIN")
    assert (found.outcome, found.path) == (Outcome.NO_NAME, ("links.shop.example", "a.shop.example"))


@pytest.mark.parametrize(
    "authority", ["", "shop.example. 900 IN NS ns.other.example.", SOA], ids=["nothing", "referral", "not-its-zone"]
)
def test_who_does_not_serve_the_zone_cannot_say_that_nothing_is_there(authority):
    assert reply("", authority, flags="QR").outcome is Outcome.FAILED
    assert reply("", SOA, flags="QR RA", authoritative=False).outcome is Outcome.NO_RECORD


@pytest.mark.parametrize(
    ("kind", "record", "value"),
    [
        (RecordType.TXT, r'TXT "v=DKIM1; k=rsa; p=AB" "CD"', "v=DKIM1; k=rsa; p=ABCD"),
        (RecordType.TXT, r'TXT "\"quoted\""', '"quoted"'),
        (RecordType.TXT, r'TXT "\255"', r"\xff"),
        (RecordType.MX, "MX 10 Mail.Example.", "10 mail.example"),
        (RecordType.AAAA, "AAAA 2001:DB8:0::1", "2001:db8::1"),
        (RecordType.CAA, 'CAA 0 issue "letsencrypt.org; x=y"', '0 issue "letsencrypt.org; x=y"'),
        (RecordType.CAA, r'CAA 0 Issue "ca\255.example"', r'0 issue "ca\xff.example"'),
        (RecordType.TXT, r'TXT "a\000" "b\255"', r"a\x00b\xff"),
        (RecordType.NS, "NS NS1.Example.", "ns1.example"),
    ],
)
def test_values_are_written_as_they_would_be_typed_in(kind, record, value):
    asked = f"links.shop.example. IN {kind}"
    assert reply(f"links.shop.example. 60 IN {record}", kind=kind, question=asked).values == (value,)
