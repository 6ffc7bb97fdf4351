"""From what servers said to a state and a sentence: one table for each kind of record."""

from dataclasses import replace

import pytest

from waypost.control.verification.answers import Outcome, RecordType, Reply, View
from waypost.control.verification.judge import Seen, behind_a_proxy, judge, not_set
from waypost.control.verification.problems import SENTENCES, Problem
from waypost.control.verification.records import Expected, Names, Purpose, Row

KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA" + "Zx9" * 110 + "IDAQAB"
DKIM = Expected(
    Purpose.DKIM, "sel._domainkey.shop.example", (Row(RecordType.TXT, f"v=DKIM1; k=rsa; p={KEY}"),), required=True
)
LINK = Expected(Purpose.LINK, "links.shop.example", (Row(RecordType.CNAME, "edge.waypost.example"),), required=True)
BOUNCE = Expected(Purpose.BOUNCE, "b.shop.example", (Row(RecordType.CNAME, "bounce.waypost.example"),), required=True)
SPF_VALUE = "v=spf1 include:spf.relay.example ~all"
SPF = Expected(Purpose.SPF, "shop.example", (Row(RecordType.TXT, SPF_VALUE),), required=True)
OWNERSHIP = Expected(
    Purpose.OWNERSHIP, "_waypost.go.example", (Row(RecordType.TXT, "waypost-account=1-2-3"),), required=True
)
DMARC = Expected(
    Purpose.DMARC, "_dmarc.m.shop.example", (Row(RecordType.TXT, "v=DMARC1; p=none"),), required=False,
    also="_dmarc.shop.example",
)  # fmt: skip
NAMES = Names("edge.waypost.example", frozenset({"192.0.2.1", "2001:db8::1"}), "bounce.waypost.example", SPF_VALUE)
EXPECTED = {each.purpose: each for each in (DKIM, LINK, BOUNCE, SPF, OWNERSHIP, DMARC)}


def found(name, *values, path=(), ttl=300):
    return Reply(Outcome.FOUND, (name, *path), values, ttl)


def absent(name, outcome=Outcome.NO_RECORD, ttl=300):
    return Reply(outcome, (name,), (), ttl)


def failed(name, failure="answered SERVFAIL"):
    return Reply(Outcome.FAILED, (name,), failure=failure)


def view(replies, server="name server ns1", *, authoritative=True, also=None):
    return View(server, authoritative, replies, also or {})


def txt(expected, *values, **more):
    reply = found(expected.name, *values) if values else absent(expected.name)
    return view({RecordType.TXT: reply}, **more)


def judged(expected, *views, **more):
    return judge(expected, Seen(list(views), **more), NAMES)


def check(finding, state, problem, *words):
    assert (finding.state, finding.problem) == (state, problem), finding
    for word in words:
        assert word in finding.hint


@pytest.mark.parametrize(
    ("values", "state", "problem", "words"),
    [
        ([f"v=DKIM1; k=rsa; p={KEY}"], "valid", None, []),
        ([f"k=rsa;p={KEY}"], "valid", None, []),
        ([f"p={KEY[:200]} {KEY[200:]}; t=s"], "valid", None, []),
        ([f"v=DKIM1; k=rsa; h=sha1:sha256; s=email; p={KEY};"], "valid", None, []),
        ([], "missing", Problem.NOT_THERE, ["sel._domainkey.shop.example"]),
        ([f'"v=DKIM1; k=rsa; p={KEY}"'], "wrong", Problem.QUOTED, ["without"]),
        ([f'v=DKIM1; k=rsa; p={KEY[:100]}" "{KEY[100:]}'], "wrong", Problem.QUOTED, []),
        ([f"“v=DKIM1; k=rsa; p={KEY}”"], "wrong", Problem.QUOTED, []),
        ([rf"v=DKIM1\; k=rsa\; p={KEY}"], "wrong", Problem.ESCAPED, ["backslashes"]),
        ([f"v=DKIM1; k=rsa; p={KEY[:237]}"], "wrong", Problem.KEY_CUT_OFF, ["237", str(len(KEY))]),
        ([f"v=DKIM1; k=rsa; p={KEY[:200]}", KEY[200:]], "wrong", Problem.KEY_SPLIT, ["2 records"]),
        ([f"v=DKIM1; k=rsa; p={KEY}", "v=DKIM1; k=rsa; p=QUJD"], "wrong", Problem.KEY_SEVERAL, ["2 TXT records"]),
        ([f"v=DKIM1; k=rsa; p={KEY}", "hello"], "wrong", Problem.KEY_SEVERAL, []),
        (["v=DKIM1; k=rsa; p="], "wrong", Problem.KEY_REVOKED, ["revokes"]),
        (["v=DKIM1; k=rsa; p=QUJD"], "wrong", Problem.KEY_OTHER, ["Another key"]),
        (["v=spf1 -all"], "wrong", Problem.KEY_OTHER, []),
        ([f"v=DKIM1; k=ed25519; p={KEY}"], "wrong", Problem.KEY_OTHER, []),
        ([f"v=DKIM1; h=sha1; k=rsa; p={KEY}"], "wrong", Problem.KEY_RESTRICTED, []),
        ([f"v=DKIM1; s=tlsrpt; k=rsa; p={KEY}"], "wrong", Problem.KEY_RESTRICTED, []),
        ([f"v=DKIM2; k=rsa; p={KEY}"], "wrong", Problem.KEY_RESTRICTED, []),
    ],
)
def test_a_dkim_record_is_read_as_a_verifier_reads_it(values, state, problem, words):
    check(judged(DKIM, txt(DKIM, *values)), state, problem, *words)


@pytest.mark.parametrize(
    ("values", "state", "problem", "words"),
    [
        (["v=spf1 include:spf.relay.example ~all"], "valid", None, []),
        (["v=spf1 mx INCLUDE:SPF.relay.example ip4:192.0.2.9 -all", "google-site-verification=x"], "valid", None, []),
        (["v=spf1 include:spf.relay.example"], "valid", None, []),
        (["hello"], "missing", Problem.NOT_THERE, []),
        (["v=spf10 include:spf.relay.example ~all"], "missing", Problem.NOT_THERE, []),
        (["v=spf1 mx -all"], "wrong", Problem.SPF_LACKS, ["include:spf.relay.example"]),
        (["v=spf1 mx -all include:spf.relay.example"], "wrong", Problem.SPF_LACKS, []),
        (["v=spf1 mx -all", "v=spf1 include:spf.relay.example ~all"], "wrong", Problem.SPF_SEVERAL, ["2 SPF"]),
        (['"v=spf1 include:spf.relay.example ~all"'], "wrong", Problem.QUOTED, []),
    ],
)
def test_an_spf_record_may_allow_more_but_there_must_be_one(values, state, problem, words):
    check(judged(SPF, txt(SPF, *values)), state, problem, *words)


EDGE = "edge.waypost.example"


def link_view(a=None, aaaa=None, **more):
    name = LINK.name
    return view({RecordType.A: a or absent(name), RecordType.AAAA: aaaa or absent(name)}, **more)


@pytest.mark.parametrize(
    ("a", "aaaa", "state", "problem", "words"),
    [
        (found("l", path=[EDGE]), found("l", path=[EDGE]), "valid", None, []),
        (found("l", "192.0.2.1", path=["cdn.shop.example", EDGE]), found("l", path=[EDGE]), "valid", None, []),
        (found("l", "192.0.2.1"), None, "valid", None, []),
        (found("l", "192.0.2.1"), found("l", "2001:db8::1"), "valid", None, []),
        (None, found("l", "2001:db8::1"), "valid", None, []),
        (found("l", "192.0.2.1"), failed("l"), "valid", None, []),
        (None, None, "missing", Problem.NOT_THERE, ["links.shop.example"]),
        (absent("l", Outcome.NO_NAME), absent("l", Outcome.NO_NAME), "missing", Problem.NOT_THERE, []),
        (failed("l"), None, "unknown", Problem.NO_ANSWER, ["ns1 answered SERVFAIL"]),
        (failed("l"), failed("l"), "unknown", Problem.NO_ANSWER, []),
        (found("l", "192.0.2.9", path=["www.x.example"]), None, "wrong", Problem.CNAME_ELSEWHERE, ["www.x.example"]),
        (
            absent("l"),
            Reply(Outcome.NO_NAME, ("l", "gone.example")),
            "wrong",
            Problem.CNAME_ELSEWHERE,
            ["gone.example"],
        ),
        (found("l", "198.51.100.7"), None, "wrong", Problem.ADDRESS_ELSEWHERE, ["198.51.100.7", "proxy"]),
        (found("l", "192.0.2.1", "198.51.100.7"), None, "wrong", Problem.ADDRESS_MIXED, ["198.51.100.7"]),
        (found("l", "192.0.2.1"), found("l", "2001:db8::9"), "wrong", Problem.ADDRESS_MIXED, ["2001:db8::9"]),
        (found("l", path=[EDGE]), found("l", "2001:db8::9"), "wrong", Problem.CNAME_BESIDE, ["AAAA"]),
        (Reply(Outcome.CIRCLE, ("l", "m", "l")), None, "wrong", Problem.CNAME_CIRCLE, ["l → m → l"]),
        (Reply(Outcome.TOO_LONG, tuple("abcdefghij")), None, "wrong", Problem.CNAME_TOO_LONG, ["more than 8"]),
    ],
)
def test_a_link_domain_leads_to_the_edges_or_one_is_told_where_it_leads(a, aaaa, state, problem, words):
    check(judged(LINK, link_view(a, aaaa)), state, problem, *words)


def test_where_an_apex_follows_the_edges_by_itself_its_addresses_are_what_counts():
    finding = judged(LINK, link_view(found("l", "192.0.2.1"), found("l", "2001:db8::1")))
    assert finding.found == ("192.0.2.1", "2001:db8::1")


def test_an_edge_host_without_addresses_is_the_operators_to_mend_and_no_loss():
    names = replace(NAMES, edge_addresses=frozenset())
    finding = judge(LINK, Seen([link_view(found("l", path=[EDGE]), found("l", path=[EDGE]))]), names)
    check(finding, "unknown", Problem.EDGE_HOST_DEAD, EDGE, "operator")


@pytest.mark.parametrize(
    ("expected", "problem", "words"),
    [
        (LINK, Problem.EDGE_HOST_UNSET, ["dns.edge_host", "links.shop.example"]),
        (BOUNCE, Problem.BOUNCE_HOST_UNSET, ["dns.bounce_host", "b.shop.example"]),
        (SPF, Problem.SPF_UNSET, ["mail.spf", "shop.example"]),
    ],
)
def test_what_an_install_has_not_said_is_the_operators_to_mend(expected, problem, words):
    check(not_set(replace(expected, rows=())), "unknown", problem, "operator", *words)


BOUNCE_HOST = "bounce.waypost.example"


@pytest.mark.parametrize(
    ("mx", "text", "state", "problem", "words"),
    [
        (found("b", path=[BOUNCE_HOST]), found("b", path=[BOUNCE_HOST]), "valid", None, []),
        (found("b", f"10 {BOUNCE_HOST}"), found("b", SPF_VALUE), "valid", None, []),
        (found("b", "5 mail.x.example", f"10 {BOUNCE_HOST}"), found("b", SPF_VALUE), "valid", None, []),
        (None, None, "missing", Problem.NOT_THERE, ["b.shop.example"]),
        (found("b", path=["mail.x.example"]), None, "wrong", Problem.CNAME_ELSEWHERE, ["mail.x.example"]),
        (found("b", "10 mail.x.example"), None, "wrong", Problem.MX_ELSEWHERE, ["mail.x.example"]),
        (found("b", f"10 {BOUNCE_HOST}"), found("b", "v=spf1 -all"), "wrong", Problem.SPF_LACKS, []),
        (found("b", f"10 {BOUNCE_HOST}"), failed("b"), "unknown", Problem.NO_ANSWER, []),
        (failed("b"), None, "unknown", Problem.NO_ANSWER, []),
        (found("b", path=[BOUNCE_HOST]), found("b", "v=spf1 -all"), "wrong", Problem.CNAME_BESIDE, ["TXT"]),
    ],
)
def test_a_bounce_domain_is_an_alias_or_takes_mail_for_the_bounce_host(mx, text, state, problem, words):
    replies = {RecordType.MX: mx or absent("b"), RecordType.TXT: text or absent("b")}
    check(judged(BOUNCE, view(replies)), state, problem, *words)


@pytest.mark.parametrize(
    ("values", "state", "problem", "words"),
    [
        (["waypost-account=1-2-3"], "valid", None, []),
        (["waypost-account=9-9-9", "waypost-account=1-2-3"], "valid", None, []),
        ([], "missing", Problem.NOT_THERE, []),
        (["hello"], "missing", Problem.NOT_THERE, []),
        (["waypost-account=9-9-9"], "wrong", Problem.ACCOUNT_OTHER, ["waypost-account=9-9-9"]),
        (['"waypost-account=1-2-3"'], "wrong", Problem.QUOTED, []),
    ],
)
def test_a_link_domain_elsewhere_is_proven_by_naming_the_account(values, state, problem, words):
    check(judged(OWNERSHIP, txt(OWNERSHIP, *values)), state, problem, *words)


@pytest.mark.parametrize(
    ("here", "above", "state", "problem"),
    [
        (["v=DMARC1; p=reject"], [], "valid", None),
        ([], ["v=DMARC1;p=none"], "valid", None),
        ([], [], "missing", Problem.NOT_THERE),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], [], "wrong", Problem.DMARC_SEVERAL),
    ],
)
def test_a_dmarc_policy_of_the_registered_domain_is_as_good(here, above, state, problem):
    seen = view(
        {RecordType.TXT: found("d", *here) if here else absent("d")},
        also={RecordType.TXT: found("e", *above) if above else absent("e")},
    )
    check(judged(DMARC, seen), state, problem)


def test_a_name_with_the_zone_twice_is_told_from_one_that_is_nowhere():
    finding = judged(DKIM, txt(DKIM), doubled="sel._domainkey.shop.example.shop.example", zone="shop.example")
    check(finding, "missing", Problem.DOUBLED_NAME, "Enter it as sel._domainkey.")


@pytest.mark.parametrize("expected", EXPECTED.values(), ids=EXPECTED)
def test_a_server_that_fails_says_nothing_about_any_record(expected):
    kinds = {Purpose.LINK: ["A", "AAAA"], Purpose.BOUNCE: ["MX", "TXT"]}.get(expected.purpose, ["TXT"])
    replies = {RecordType(kind): failed(expected.name, "did not answer within 4 seconds") for kind in kinds}
    finding = judged(expected, view(replies), view(replies, "resolver 192.0.2.53", authoritative=False))
    check(finding, "unknown", Problem.NO_ANSWER, "ns1 did not answer", "resolver 192.0.2.53")
    assert not finding.confirmed


def test_nobody_to_ask_is_no_loss_either():
    check(judged(DKIM), "unknown", Problem.NO_ANSWER, "no name server was found")


GOOD = f"v=DKIM1; k=rsa; p={KEY}"


def test_two_servers_that_agree_confirm_a_loss_and_one_does_not():
    assert not judged(DKIM, txt(DKIM)).confirmed
    assert judged(DKIM, txt(DKIM), txt(DKIM, server="resolver x", authoritative=False)).confirmed
    assert judged(DKIM, txt(DKIM), txt(DKIM, "v=DKIM1; p=", server="resolver x", authoritative=False)).confirmed
    failing = view({RecordType.TXT: failed(DKIM.name)}, "resolver x", authoritative=False)
    assert not judged(DKIM, txt(DKIM), failing).confirmed


def test_a_record_that_a_resolver_still_has_is_not_lost_yet():
    finding = judged(DKIM, txt(DKIM), txt(DKIM, GOOD, server="resolver x", authoritative=False))
    check(finding, "missing", Problem.NOT_THERE, "300 more seconds")
    assert not finding.confirmed


def test_a_record_that_a_resolver_does_not_have_yet_is_there():
    finding = judged(DKIM, txt(DKIM, GOOD), txt(DKIM, server="resolver x", authoritative=False))
    check(finding, "valid", None, "300 more seconds")


def test_name_servers_that_disagree_are_told_by_name_and_nothing_is_lost():
    finding = judged(DKIM, txt(DKIM, GOOD), txt(DKIM, server="name server ns2"))
    check(finding, "missing", Problem.SERVERS_DISAGREE, "ns1", "ns2")
    assert not finding.confirmed


def test_what_only_resolvers_say_may_be_old():
    finding = judged(DKIM, txt(DKIM, server="resolver x", authoritative=False))
    check(finding, "missing", Problem.NOT_THERE, "300 more seconds")


def test_a_proxy_that_reaches_our_edge_is_called_one():
    finding = behind_a_proxy(LINK, judged(LINK, link_view(found("l", "198.51.100.7"))))
    check(finding, "wrong", Problem.PROXIED, "198.51.100.7", "DNS only")


def test_every_problem_has_a_sentence_of_its_own():
    assert set(SENTENCES) == set(Problem)
    assert len(set(SENTENCES.values())) == len(SENTENCES)
