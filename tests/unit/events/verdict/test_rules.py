"""Each rule: where it holds, and where it just does not. The thresholds' reasons stand beside them in the code."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from msgspec.structs import fields, replace
from tests.unit.events.verdict.hits import BOT, CHROME, DELIVERED, ELSEWHERE, SAFARI, SEND, bare, hit

from waypost.edge.decide import KEPT_HEADERS
from waypost.events.client import Client, ImageProxy
from waypost.events.hit import HitKind, Outcome
from waypost.events.verdict import RULES, Evidence, Reason, SendFacts, classify

OPEN = HitKind.OPEN
FIREFOX = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:148.0) Gecko/20100101 Firefox/148.0"}
OLD_FIREFOX = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:89.0) Gecko/20100101 Firefox/89.0"}
OLD_CHROME = {"user-agent": CHROME["user-agent"].replace("Chrome/146", "Chrome/79")}
OLD_SAFARI = {"user-agent": SAFARI["user-agent"].replace("26.3", "16.3")}
GMAIL_PREFETCH = {
    "user-agent": CHROME["user-agent"].replace("Chrome/146.0.0.0", "Chrome/42.0.2311.135") + " Edge/12.246 Mozilla/5.0"
}
HOUR = 3600


def without(headers, *names):
    return {name: value for name, value in headers.items() if name not in names}


def networks(count, headers=CHROME, seconds=15.0, **more):
    """One click from each of so many networks, evenly over so many seconds."""
    step = seconds / (count - 1)
    return [hit(100 + n * step, n, address=f"10.0.{n}.1", headers=headers, **more) for n in range(count)]


def links(count, seconds, headers=CHROME):
    """One visitor at so many links, evenly over so many seconds."""
    step = seconds / (count - 1)
    return [hit(100 + n * step, n, link=n, headers=headers) for n in range(count)]


def at(offset, **more):
    return [hit(offset, **more)]


def destinations(first, second, seconds=59):
    """One visitor at two links that lead there."""
    return [replace(hit(100, 0), destination=first), replace(hit(100 + seconds, 1, link=1), destination=second)]


@dataclass(frozen=True)
class Case:
    """The first hit of `holds` has the reason; no hit of `fails` has it."""

    reason: Reason
    holds: list
    fails: list
    send: SendFacts = field(default=SEND)


CASES = [
    Case(Reason.HEAD, at(HOUR, outcome=Outcome.HEAD), at(HOUR)),
    Case(Reason.PREFETCH, at(HOUR, outcome=Outcome.PREFETCH), at(HOUR, outcome=Outcome.BLOCKED)),
    Case(Reason.DECLARED_BOT, at(HOUR, client=BOT), at(HOUR)),
    Case(
        Reason.IMAGE_PREFETCH,
        at(HOUR, kind=OPEN, client=Client(image_proxy=ImageProxy.APPLE)),
        at(HOUR, kind=OPEN, client=Client(image_proxy=ImageProxy.GOOGLE)),
    ),
    Case(Reason.IMAGE_PREFETCH, at(HOUR, kind=OPEN, headers=GMAIL_PREFETCH), at(HOUR, headers=GMAIL_PREFETCH)),
    Case(
        Reason.IMAGE_PROXY,
        at(HOUR, kind=OPEN, client=Client(image_proxy=ImageProxy.YAHOO)),
        at(HOUR, kind=OPEN, client=Client(image_proxy=ImageProxy.APPLE)),
    ),
    Case(Reason.SEC_FETCH_MISSING, at(HOUR, headers=bare(CHROME)), at(HOUR, headers=OLD_CHROME)),
    Case(Reason.SEC_FETCH_MISSING, at(HOUR, headers=FIREFOX), at(HOUR, headers=OLD_FIREFOX)),
    Case(Reason.SEC_FETCH_MISSING, at(HOUR, headers=bare(CHROME)), at(HOUR, kind=OPEN, headers=bare(CHROME))),
    Case(
        Reason.SEC_FETCH_MISSING,
        at(HOUR, headers=bare(CHROME)),
        at(HOUR, headers=without(CHROME, "sec-fetch-dest", "sec-fetch-site", "sec-fetch-user")),
    ),
    Case(Reason.SEC_FETCH_MISSING_WEBKIT, at(HOUR, headers=bare(SAFARI)), at(HOUR, headers=OLD_SAFARI)),
    Case(Reason.ACCEPT_LANGUAGE_MISSING, at(HOUR, headers=without(CHROME, "accept-language")), at(HOUR)),
    Case(Reason.ACCEPT_LANGUAGE_MISSING, at(HOUR, headers=FIREFOX), at(HOUR, headers={"user-agent": "Whatever 1.0"})),
    Case(Reason.OUTDATED_BROWSER, at(HOUR, headers=OLD_CHROME), at(HOUR, headers=OLD_FIREFOX)),
    Case(Reason.USER_AGENT_MISSING, at(HOUR, headers={"accept": "*/*"}), at(HOUR, headers={})),
    Case(Reason.MAIL_SECURITY_NETWORK, at(HOUR, as_organisation="Mimecast Services Limited"), at(HOUR)),
    Case(Reason.CLOUD_NETWORK, at(HOUR, as_organisation="AMAZON-02"), at(HOUR, as_organisation="CLOUDFLARENET")),
    Case(
        Reason.CLOUD_NETWORK,
        at(HOUR, as_organisation="MICROSOFT-CORP-MSN-AS-BLOCK"),
        at(HOUR, kind=OPEN, as_organisation="MICROSOFT-CORP-MSN-AS-BLOCK"),
    ),
    Case(Reason.HOSTING_NETWORK, at(HOUR, as_organisation="OVH SAS"), at(HOUR, as_organisation="Orange S.A.")),
    Case(
        Reason.SOON_FROM_DATA_CENTRE,
        at(120, as_organisation="OVH SAS"),
        at(121, as_organisation="OVH SAS"),
    ),
    Case(Reason.MOBILE_NETWORK, at(HOUR, as_organisation="T-Mobile USA, Inc."), at(HOUR)),
    Case(Reason.MANY_RECIPIENTS, at(HOUR, recipients_at_once=10), at(HOUR, recipients_at_once=9)),
    Case(Reason.MANY_RECIPIENTS, at(HOUR, recipients_at_once=10), at(HOUR, kind=OPEN, recipients_at_once=1000)),
    Case(Reason.AT_DELIVERY, at(5), at(6)),
    Case(Reason.AT_DELIVERY, at(-30), at(6)),
    Case(Reason.HOURS_LATER, at(2 * HOUR), at(2 * HOUR - 1)),
    Case(Reason.USER_NAVIGATION, at(HOUR), at(HOUR, headers=without(CHROME, "sec-fetch-user"))),
    Case(Reason.USER_NAVIGATION, at(HOUR, headers=SAFARI), at(HOUR, headers=without(SAFARI, "sec-fetch-mode"))),
    Case(Reason.MANY_NETWORKS, networks(4), networks(3)),
    Case(Reason.MANY_NETWORKS, networks(3, bare(CHROME)), networks(2, bare(CHROME))),
    Case(Reason.MANY_NETWORKS, networks(4), networks(4, seconds=24)),
    Case(Reason.MANY_NETWORKS, networks(4), networks(4, kind=OPEN)),
    Case(Reason.RAPID_LINKS, links(2, 0.25), links(2, 0.5)),
    Case(Reason.RAPID_LINKS, links(4, 2.9), links(4, 3.6)),
    Case(Reason.RAPID_LINKS, links(6, 7.5), links(5, 6.4)),
    Case(Reason.ALL_LINKS, links(5, 55), links(4, 55)),
    Case(Reason.ALL_LINKS, links(5, 55), links(5, 90)),
    Case(
        Reason.UNSUBSCRIBE_AND_CONTENT,
        destinations("https://shop.example/unsubscribe?u=1", "https://shop.example/shoes"),
        destinations("https://shop.example/hats", "https://shop.example/shoes"),
    ),
    Case(
        Reason.UNSUBSCRIBE_AND_CONTENT,
        destinations("https://shop.example/a", "https://shop.example/newsletter/abmelden"),
        destinations("https://shop.example/a", "https://shop.example/newsletter/abmelden", seconds=61),
    ),
    Case(
        Reason.CHECKED_CLICK,
        [hit(100, 0, address=ELSEWHERE, as_organisation="OVH SAS"), hit(130, 1)],
        [hit(100, 0, address=ELSEWHERE, as_organisation="OVH SAS"), hit(110, 1, link=1), hit(131, 2)],
    ),
    Case(
        Reason.SAME_SYSTEM,
        [hit(101, 0), hit(100, 1, outcome=Outcome.HEAD)],
        [hit(101, 0, headers=SAFARI), hit(100, 1, outcome=Outcome.HEAD), hit(100, 2, outcome=Outcome.PREFETCH)],
    ),
    Case(
        Reason.SAME_SYSTEM,
        [hit(101, 0), hit(100, 1, outcome=Outcome.HEAD)],
        [hit(101, 0, address=""), hit(100, 1, outcome=Outcome.HEAD, address="")],
    ),
    Case(
        Reason.SEEN_SCANNING,
        [hit(HOUR, 0), hit(100, 1, outcome=Outcome.HEAD)],
        [hit(HOUR, 0), hit(100, 1, outcome=Outcome.PREFETCH)],
    ),
    Case(Reason.RETURNED, [hit(700, 0), hit(100, 1)], [hit(690, 0), hit(100, 1)]),
    Case(Reason.RETURNED, [hit(700, 0), hit(100, 1)], [hit(700, 0), hit(100, 1, address=ELSEWHERE)]),
    Case(Reason.NO_SIGN, at(HOUR, headers={"user-agent": "Whatever 1.0"}), at(HOUR)),
]


def reasons(case, hits):
    verdicts = classify(hits, case.send, DELIVERED + timedelta(days=9))
    return [verdicts[each.event_id].reasons for each in hits]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reason)
def test_a_rule_holds_where_it_should_and_not_beside_that(case):
    assert case.reason in reasons(case, case.holds)[0]
    assert not any(case.reason in each for each in reasons(case, case.fails))


def test_every_rule_has_a_case():
    assert {case.reason for case in CASES} == set(Reason) == set(RULES)


def test_what_is_not_sent_without_tls_is_not_missed():
    case = Case(Reason.SEC_FETCH_MISSING, [], [], SendFacts(DELIVERED, 6, secure=False))
    assert reasons(case, at(HOUR, headers=bare(CHROME))) == [(Reason.ACCEPT_LANGUAGE_MISSING,)]


def test_without_a_time_of_delivery_no_rule_asks_for_it():
    case = Case(Reason.AT_DELIVERY, [], [], SendFacts())
    assert reasons(case, at(1, as_organisation="OVH SAS")) == [(Reason.USER_NAVIGATION, Reason.HOSTING_NETWORK)]


def test_a_message_with_fewer_than_five_links_may_be_followed_whole():
    case = Case(Reason.ALL_LINKS, [], [], SendFacts(DELIVERED, links=4))
    assert not any(Reason.ALL_LINKS in each for each in reasons(case, links(4, 55)))


def test_rules_read_only_what_the_spool_keeps():
    evidence = {each.name for each in fields(Evidence)}
    send = {f"send.{each.name}" for each in fields(SendFacts)}
    client = {f"client.{each.name}" for each in fields(Client)}
    headers = {f"headers.{name}" for name in KEPT_HEADERS}
    read = {name for rule in RULES.values() for name in rule.fields}
    assert read <= evidence | send | client | headers


def test_a_reader_amid_a_gateways_hits_is_not_one_of_them():
    hits = [*networks(10, bare(CHROME)), hit(107, 99, address=ELSEWHERE)]
    assert Reason.MANY_NETWORKS not in reasons(Case(Reason.MANY_NETWORKS, [], []), hits)[-1]
