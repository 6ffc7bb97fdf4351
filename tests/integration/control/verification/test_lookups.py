"""DNS as it is: a real authoritative server whose zones change, and servers that do not answer."""

import asyncio
import contextlib
import socket
import threading
import time

import dns.message
import dns.rcode
import pytest

from waypost.config.values import Resolver
from waypost.control.verification.answers import Outcome, RecordType
from waypost.control.verification.judge import judge
from waypost.control.verification.problems import Problem
from waypost.control.verification.records import Expected, Names, Purpose, Row
from waypost.control.verification.resolve import Lookups

KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA" + "Zx9" * 110 + "IDAQAB"
VALUE = f"v=DKIM1; k=rsa; p={KEY}"
TXT = f'TXT "{VALUE[:255]}" "{VALUE[255:]}"'
DKIM = Expected(Purpose.DKIM, "sel._domainkey.shop.example", (Row(RecordType.TXT, VALUE),), required=True)
LINK = Expected(Purpose.LINK, "links.shop.example", (Row(RecordType.CNAME, "edge.waypost.example"),), required=True)
NAMES = Names("edge.waypost.example", frozenset({"192.0.2.1"}), "", "")


def lookups(*resolvers, port, ask_name_servers=True, may_ask=lambda _: True):
    return Lookups(
        [Resolver.parse(each) for each in resolvers],
        ask_name_servers=ask_name_servers,
        ends=("edge.waypost.example",),
        port=port,
        may_ask=may_ask,
    )


def see(expected, asking, *, second_opinion=False):
    async def run():
        return await asking.see(expected, second_opinion=lambda _: second_opinion)

    return asyncio.run(run())


def found(expected, asking, **more):
    return judge(expected, see(expected, asking, **more), NAMES)


def of_zone(knot, **more):
    """Asks the zone's own server; where it is, the same Knot says as a resolver."""
    return lookups(knot.resolver, port=knot.port, **more)


@contextlib.contextmanager
def udp_server(answer):
    """A server on a port of its own that answers each packet with what `answer` makes of it; None: with silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.1)
        stopped = threading.Event()

        def serve():
            while not stopped.is_set():
                with contextlib.suppress(TimeoutError):
                    packet, client = listener.recvfrom(4096)
                    if (reply := answer(packet)) is not None:
                        listener.sendto(reply, client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopped.set()
            thread.join()


def refusal(packet):
    reply = dns.message.make_response(dns.message.from_wire(packet))
    reply.set_rcode(dns.rcode.SERVFAIL)
    return reply.to_wire()


def test_a_record_is_seen_at_the_zones_own_server_as_soon_as_it_is_there(knot):
    knot.serve({"shop.example": "@ TXT other"})
    assert found(DKIM, of_zone(knot)).problem is Problem.NOT_THERE
    knot.serve({"shop.example": f"sel._domainkey {TXT}"})
    seen = see(DKIM, of_zone(knot))
    assert [(view.server, view.authoritative) for view in seen.views] == [("name server ns1.shop.example", True)]
    assert judge(DKIM, seen, NAMES).state == "valid"
    knot.serve({"shop.example": "@ TXT other"})
    assert found(DKIM, of_zone(knot)).state == "missing"


def test_resolvers_are_asked_for_a_second_opinion_only(knot):
    knot.serve({"shop.example": "@ TXT other"})
    seen = see(DKIM, of_zone(knot), second_opinion=True)
    assert [view.server for view in seen.views] == ["name server ns1.shop.example", f"resolver {knot.resolver}"]
    assert judge(DKIM, seen, NAMES).confirmed


def test_a_long_answer_comes_over_tcp(knot):
    others = "\n".join(f'sel._domainkey TXT "{number:03}{"x" * 240}"' for number in range(8))
    knot.serve({"shop.example": f"sel._domainkey {TXT}\n{others}"})
    (view,) = see(DKIM, of_zone(knot)).views
    assert len(view.replies[RecordType.TXT].values) == 9


def test_aliases_are_followed_to_the_edge_host_and_no_further(knot):
    knot.serve(
        {"shop.example": "links CNAME a\na CNAME b.other.example.", "other.example": "b CNAME edge.waypost.example."}
    )
    (view,) = see(LINK, of_zone(knot)).views
    path = ("links.shop.example", "a.shop.example", "b.other.example", "edge.waypost.example")
    assert view.replies[RecordType.A].path == path
    assert found(LINK, of_zone(knot)).state == "valid"


def test_an_alias_that_leads_elsewhere_says_where(knot):
    knot.serve({"shop.example": "links CNAME www\nwww A 198.51.100.7"})
    finding = found(LINK, of_zone(knot))
    assert (finding.problem, finding.found) == (Problem.CNAME_ELSEWHERE, ("www.shop.example",))


@pytest.mark.parametrize(
    "zones",
    [
        {"shop.example": "links CNAME a\na CNAME links"},
        {"shop.example": "links CNAME b.other.example.", "other.example": "b CNAME links.shop.example."},
    ],
    ids=["in-a-zone", "between-zones"],
)
def test_a_circle_of_aliases_is_a_mistake_and_no_failure(knot, zones):
    knot.serve(zones)
    finding = found(LINK, of_zone(knot))
    assert (finding.state, finding.problem) == ("wrong", Problem.CNAME_CIRCLE)


def test_a_chain_without_end_is_given_up(knot):
    chain = "\n".join(f"a{number} CNAME a{number + 1}" for number in range(20))
    knot.serve({"shop.example": f"links CNAME a0\n{chain}\na20 A 192.0.2.1"})
    assert found(LINK, of_zone(knot)).problem is Problem.CNAME_TOO_LONG


def test_a_record_below_its_zone_twice_is_found_there(knot):
    knot.serve({"shop.example": f"sel._domainkey.shop.example {TXT}"})
    finding = found(DKIM, of_zone(knot))
    assert finding.problem is Problem.DOUBLED_NAME
    assert "sel._domainkey.shop.example.shop.example" in finding.hint


def test_a_zone_that_the_server_cannot_load_is_unknown_and_no_loss(knot):
    knot.serve({"shop.example": "this is no zone"})
    finding = found(DKIM, of_zone(knot), second_opinion=True)
    assert (finding.state, finding.confirmed) == ("unknown", False)


def test_who_is_asked_for_a_zone_that_it_does_not_serve_says_nothing_about_it(knot):
    finding = found(DKIM, of_zone(knot))
    assert (finding.state, finding.problem) == ("unknown", Problem.NO_ANSWER)
    assert "REFUSED" in finding.hint


def test_name_servers_that_are_silent_leave_it_to_the_resolvers_and_take_no_more_than_their_time(knot):
    knot.serve({"shop.example": f"@ NS ns1\nns1 A 127.0.0.9\nsel._domainkey {TXT}"})
    started = time.monotonic()
    seen = see(DKIM, of_zone(knot))
    assert time.monotonic() - started < 20
    assert [view.replies[RecordType.TXT].outcome for view in seen.views] == [Outcome.FAILED, Outcome.FOUND]
    assert judge(DKIM, seen, NAMES).state == "valid"


def test_a_resolver_that_is_silent_does_not_hide_what_another_one_knows(knot):
    knot.serve({"shop.example": f"sel._domainkey {TXT}"})
    with udp_server(lambda _: None) as silent:
        asking = lookups(silent, knot.resolver, port=knot.port, ask_name_servers=False)
        seen = see(DKIM, asking)
    assert [view.replies[RecordType.TXT].failure for view in seen.views] == ["did not answer within 4 seconds", ""]
    assert judge(DKIM, seen, NAMES).state == "valid"


@pytest.mark.parametrize("answer", [refusal, lambda _: b"garbage", lambda packet: b"\0\0" + packet[2:]])
def test_a_resolver_that_fails_says_nothing(answer):
    with udp_server(answer) as broken:
        finding = found(DKIM, lookups(broken, port=1, ask_name_servers=False))
    assert (finding.state, finding.problem) == ("unknown", Problem.NO_ANSWER)


def test_name_servers_that_disagree_are_both_heard(knots):
    first, second = knots
    servers = f"@ NS ns1\n@ NS ns2\nns1 A {first.address}\nns2 A {second.address}\n"
    first.serve({"shop.example": f"{servers}sel._domainkey {TXT}"})
    second.serve({"shop.example": servers})
    finding = found(DKIM, of_zone(first))
    assert (finding.state, finding.problem, finding.confirmed) == ("missing", Problem.SERVERS_DISAGREE, False)
    assert "name server ns2.shop.example does not have it, name server ns1.shop.example does" in finding.hint


def test_a_zone_delegated_to_another_server_is_asked_there(knots):
    first, second = knots
    expected = Expected(Purpose.DKIM, "sel._domainkey.mail.shop.example", DKIM.rows, required=True)
    first.serve({"shop.example": f"mail NS ns.mail\nns.mail A {second.address}"})
    second.serve({"mail.shop.example": f"@ NS ns\nns A {second.address}\nsel._domainkey {TXT}"})
    seen = see(expected, lookups(first.resolver, second.resolver, port=first.port))
    assert [view.server for view in seen.views] == ["name server ns.mail.shop.example"]
    assert judge(expected, seen, NAMES).state == "valid"


def test_a_zone_cannot_have_us_ask_where_we_should_not(knot):
    knot.serve({"shop.example": f"sel._domainkey {TXT}"})
    seen = see(DKIM, of_zone(knot, may_ask=lambda address: address != knot.address))
    assert [view.authoritative for view in seen.views] == [False]


@pytest.mark.parametrize(
    ("zones", "at"),
    [
        ({"shop.example": '@ CAA 0 issue "a"\nlinks CAA 0 issue "b"'}, "links.shop.example"),
        ({"shop.example": '@ CAA 0 issue "a"'}, "shop.example"),
        ({"shop.example": '@ CAA 0 issue "a"\nlinks CNAME edge.waypost.example.'}, "shop.example"),
        (
            {
                "shop.example": '@ CAA 0 issue "a"\nlinks CNAME edge.waypost.example.',
                "waypost.example": 'edge CAA 0 issue "b"',
            },
            "edge.waypost.example",
        ),
        ({"shop.example": "@ TXT x"}, None),
    ],
)
def test_caa_records_are_looked_for_upward(knot, zones, at):
    async def run():
        return await of_zone(knot).certificate_authorities("links.shop.example")

    knot.serve(zones)
    reply = asyncio.run(run())
    assert (reply.path[-1] if reply.values else None) == at


def test_the_addresses_of_a_name_of_ours_are_all_of_both_families(knot):
    async def run():
        return await of_zone(knot).addresses("edge.waypost.example")

    knot.serve({"waypost.example": "edge A 192.0.2.1\nedge A 192.0.2.2\nedge AAAA 2001:db8::1"})
    assert asyncio.run(run()) == {"192.0.2.1", "192.0.2.2", "2001:db8::1"}


def test_a_name_that_is_too_long_to_be_asked_for_is_no_loss(knot):
    name = "_waypost." + ".".join(["x" * 62] * 4)
    expected = Expected(Purpose.OWNERSHIP, name, (Row(RecordType.TXT, "waypost-account=1"),), required=True)
    finding = found(expected, of_zone(knot, ask_name_servers=False))
    assert (finding.state, finding.problem) == ("unknown", Problem.NO_ANSWER)
    assert "NameTooLong" in finding.hint
