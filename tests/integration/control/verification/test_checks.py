"""A profile through its life: records published, lost and back, on both databases, by an injected clock."""

import asyncio
import contextlib
import itertools
import os
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
from tests.certificates import Authority
from tests.rsa_key import rsa_private_key

from waypost.config import load
from waypost.control.accounts.schema import NewAccount
from waypost.control.accounts.service import create_account
from waypost.control.errors import ConflictError
from waypost.control.profiles.dkim import dkim_keys
from waypost.control.profiles.schema import NewProfile
from waypost.control.profiles.service import create_profile, delete_profile, find_profile, request_check
from waypost.control.profiles.setup import setup_of
from waypost.control.publishing.link_domains import publish_link_domain, release_link_domain
from waypost.control.publishing.service import snapshot_of
from waypost.control.sources import SYSTEM, Sources
from waypost.control.verification.findings import decode_findings
from waypost.control.verification.process import Checker, run
from waypost.control.verification.queue import LEASE, add_missing_checks, claim_due, record
from waypost.control.verification.subject import Claim
from waypost.control.verification.visit import Visitor, trust
from waypost.db import ControlKey
from waypost.db.tables import LinkDomain, Profile, ProfileCheck
from waypost.fleet.proof import prove
from waypost.links.keyring import Keyring

START = datetime(2026, 3, 29, 1, 30, 15, tzinfo=UTC)
KEYRING = Keyring.new(os.urandom(64))
EDGE = "127.0.0.1"


class Front:
    """A TLS front with an edge behind it: `certificates` by name, and the keyring that proves."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self.certificates: dict[str, ssl.SSLContext] = {}
        self.visits: list[str] = []
        self.keyring = KEYRING
        self.status = "200 OK"
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.sni_callback = self._choose
        self._listener = socket.create_server((EDGE, 0))

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    def certify(self, name: str, **more) -> None:
        self.certificates[name] = self._authority.context(name, **more)

    @contextlib.contextmanager
    def serving(self):
        thread = threading.Thread(target=self._serve)
        thread.start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            self._listener.close()

    def _serve(self):
        with contextlib.suppress(OSError):  # no more connections
            while True:
                connection, _ = self._listener.accept()
                with connection, contextlib.suppress(OSError), self._wrapped(connection) as secure:
                    self._answer(secure)

    def _wrapped(self, connection):
        connection.settimeout(5)
        return self._context.wrap_socket(connection, server_side=True)

    def _choose(self, connection, name, _):
        self.visits.append(name)
        if name not in self.certificates:
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR  # as Caddy does
        connection.context = self.certificates[name]
        return None

    def _answer(self, connection):
        head = connection.recv(4096).decode()
        nonce = head.split(" ", 2)[1].rpartition("/")[2]
        host = head.partition("Host: ")[2].partition("\r\n")[0]
        body = prove(nonce, host, self.keyring)
        lines = [f"HTTP/1.1 {self.status}", "Server: Front/1", f"Content-Length: {len(body)}", "", body]
        connection.sendall("\r\n".join(lines).encode())


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def front(authority):
    with Front(authority).serving() as serving:
        yield serving


class World:
    """An install whose DNS is two Knots, with a clock to turn."""

    def __init__(self, database, knots, front, authority, folder) -> None:
        self.now = START
        self.database, self.front = database, front
        self.first, self.second = knots
        self.environment = {
            "WAYPOST_DNS__EDGE_HOST": "edge.waypost.example",
            "WAYPOST_DNS__BOUNCE_HOST": "bounce.waypost.example",
            "WAYPOST_DNS__RESOLVERS": f"{self.first.resolver},{self.second.resolver}",
            "WAYPOST_DNS__HTTPS_PORT": str(front.port),
            "WAYPOST_DNS__TRUSTED_ROOTS": str(authority.root),
        }
        self.settings = load(None, self.environment, folder)
        self.context = trust(self.settings.dns.trusted_roots)
        self.sources = Sources(lambda: self.now, os.urandom, rsa_private_key)
        self._numbers = itertools.count()
        self.publish([])

    def account(self):
        address = f"owner{next(self._numbers)}@shop.example"
        return create_account(self.database, self.sources, NewAccount(name="Owner", email=address))

    def profile(self, account, **fields):
        new = {"profile_name": "p", "sending_domain": "shop.example", "link_domain": "links.shop.example"} | fields
        key = ControlKey(b"k" * 32)
        return create_profile(self.database, self.sources, account, NewProfile(**new), ["localhost"], control_key=key)

    def setup(self, profile):
        return setup_of(self.database, self.settings, None, profile.public_id)

    def zones(self, records):
        """The zone files in which these records stand."""
        zones = {"waypost.example": f"edge A {EDGE}"}
        for each in records:
            domain = ".".join(each.name.split(".")[-2:])
            kind, value = ("A", EDGE) if each.type == "ALIAS" else (each.type, each.value)
            if kind == "CNAME":
                value += "."
            if kind == "TXT":
                value = " ".join(f'"{value[at : at + 255]}"' for at in range(0, len(value), 255))
            zones[domain] = zones.get(domain, "") + f"{each.name}. {kind} {value}\n"
        return zones

    def publish(self, records, *, extra=None, second=None):
        zones = self.zones(records) | {"shop.example": self.zones(records).get("shop.example", "@ TXT x")}
        for domain, lines in (extra or {}).items():
            zones[domain] = zones.get(domain, "") + lines
        self.first.serve(zones)
        self.second.serve(zones if second is None else second)

    def check(self, **later):
        """Turn the clock, and do what is due; what became of the first profile that was."""
        self.now += timedelta(**later)

        async def run_due():
            visitor = Visitor(self.front.port, self.context, lambda: KEYRING, lambda: SYSTEM.token(24))
            checker = Checker(
                self.settings,
                self.database,
                visitor.visit,
                lambda: self.now,
                lambda: 0.5,
                name_server_port=self.first.port,
                may_ask=lambda _: True,
                second_look_seconds=0.1,
            )
            return [await checker.check(claimed) for claimed in claim_due(self.database, self.now, 8)]

        changes = asyncio.run(run_due())
        return changes[0].after if changes and changes[0] else None

    def planned(self, profile):
        with self.database.reading() as session:
            return session.get_one(ProfileCheck, profile.number).next_check_at - self.now

    def published(self):
        return set(snapshot_of(self.database, [], self.now, lambda send_id: send_id).link_domains)

    def owner_of(self, domain):
        with self.database.reading() as session:
            claim = session.get(LinkDomain, domain)
            return claim.account if claim and claim.proven_at else None

    def seen(self, profile):
        with self.database.reading() as session:
            return {key.algorithm: key.seen_at for key in dkim_keys(session, profile.number)}

    def hints(self, profile):
        setup = self.setup(profile)
        return {each.purpose: each.hint for each in setup.records} | {"tls": setup.link_domain.hint}


@pytest.fixture
def world(database, knots, front, authority, tmp_path):
    return World(database, knots, front, authority, tmp_path)


def activate(world, profile):
    """Through the steps that an owner sees."""
    world.publish(world.setup(profile).records)
    world.front.certify(profile.link_domain)
    assert world.check() == "creating"
    assert world.check(seconds=6) == "active"


def test_a_profile_becomes_active_once_its_records_and_its_certificate_are_there(world):
    profile = world.profile(world.account(), bounce_domain="bounces.shop.example")
    assert world.check() == "creating"
    assert "publish it" in world.hints(profile)["dkim"]
    assert world.hints(profile)["tls"].startswith("HTTPS is tried once")
    assert (world.published(), world.owner_of("links.shop.example")) == (set(), None)
    assert world.planned(profile) == timedelta(seconds=15)

    world.publish(world.setup(profile).records)
    assert world.check(seconds=15) == "creating"
    assert world.published() == {"links.shop.example"}
    assert "edges are being told" in world.hints(profile)["tls"]
    assert world.planned(profile) == timedelta(seconds=5)

    assert world.check(seconds=5) == "creating"
    assert "tlsv1 alert internal error" in world.hints(profile)["tls"]
    assert world.planned(profile) == timedelta(seconds=30)

    world.front.certify("links.shop.example")
    assert world.check(seconds=30) == "active"
    setup = world.setup(profile)
    assert {each.validation_state for each in setup.records} == {"valid"}
    assert (setup.link_domain.state, setup.link_domain.hint) == ("valid", "")
    assert world.planned(profile) == timedelta(hours=1)


def test_advice_keeps_nobody_from_becoming_active(world):
    profile = world.profile(world.account())
    required = [each for each in world.setup(profile).records if each.required]
    assert {each.purpose for each in required} == {"dkim", "link"}
    world.publish(required)
    world.front.certify(profile.link_domain)
    world.check()
    assert world.check(seconds=6) == "active"
    assert world.hints(profile)["dmarc"] != ""


@pytest.mark.parametrize("purpose", ["dkim", "bounce", "link"])
def test_a_record_that_is_lost_makes_it_pending_and_its_return_active(world, purpose):
    profile = world.profile(world.account(), bounce_domain="bounces.shop.example")
    activate(world, profile)
    records = world.setup(profile).records

    world.publish([each for each in records if each.purpose != purpose])
    assert world.check(hours=2) == "pending"
    assert find_profile(world.database, None, profile.public_id).state == "pending"
    assert profile.link_domain in world.published()
    assert world.check(hours=1) == "pending"
    world.publish(records)
    assert world.check(hours=1) == "active"


def test_72_hours_pending_disable_it_and_a_request_brings_it_back(world):
    profile = world.profile(world.account())
    activate(world, profile)
    records = world.setup(profile).records
    world.publish([])
    assert world.check(hours=2) == "pending"
    assert world.check(hours=71) == "pending"
    assert world.check(hours=1) == "disabled"
    assert world.planned(profile) > timedelta(hours=12)
    world.publish(records)
    request_check(world.database, world.sources, None, profile.public_id)
    assert world.check(seconds=15) == "active"


def test_one_resolver_that_has_lost_it_takes_no_working_profile_down(world):
    profile = world.profile(world.account())
    activate(world, profile)
    records = world.setup(profile).records
    # The zone's own server has lost it; the second resolver still knows.
    world.publish([], second=world.zones(records))
    assert world.check(hours=2) == "active"
    assert "Resolvers may hold the old answer for 60 more seconds" in world.hints(profile)["dkim"]
    assert world.planned(profile) == timedelta(minutes=5)


def test_a_dkim_key_is_noted_as_published_and_as_gone_when_two_servers_agree(world):
    """Its Ed25519 half is advice, and mail counts on it all the same: it signs while it is seen."""
    profile = world.profile(world.account())
    required = [each for each in world.setup(profile).records if each.required]
    world.publish(required)
    world.front.certify(profile.link_domain)
    world.check()
    assert world.check(seconds=6) == "active"
    assert world.seen(profile) == {"rsa": world.now - timedelta(seconds=6), "ed25519": None}

    records = world.setup(profile).records
    world.publish(records)
    world.check(hours=2)
    since = world.now
    assert world.seen(profile)["ed25519"] == since

    world.publish(required, second=world.zones(records))
    assert world.check(hours=2) == "active"
    assert world.seen(profile)["ed25519"] == since, "the second resolver still knows it"
    for knot in (world.first, world.second):
        knot.serve({"waypost.example": f"edge A {EDGE}", "shop.example": "no zone"})
    assert world.check(hours=2) == "active"
    assert world.seen(profile)["ed25519"] == since, "nobody answers"

    world.publish(required)
    assert world.check(hours=2) == "active"
    assert world.seen(profile)["ed25519"] is None
    assert world.seen(profile)["rsa"] is not None


def test_servers_that_fail_take_no_working_profile_down(world):
    profile = world.profile(world.account())
    activate(world, profile)
    broken = {"waypost.example": f"edge A {EDGE}", "shop.example": "no zone"}
    for knot in (world.first, world.second):
        knot.serve({})
        knot.serve(broken)
    assert world.check(hours=2) == "active"
    assert "could not be looked up" in world.hints(profile)["dkim"]
    assert world.setup(profile).records[0].validation_state == "unknown"


@pytest.mark.parametrize(
    ("spoil", "state", "words"),
    [
        (lambda front: front.certify("links.shop.example", days=-1), "pending", "certificate has expired"),
        (lambda front: front.certify("links.shop.example", shown="other.example"), "pending", "not valid"),
        (lambda front: front.certificates.clear(), "pending", "has no certificate"),
        (lambda front: setattr(front, "keyring", Keyring.new(b"x" * 64)), "pending", "it calls itself Front/1"),
        (lambda front: setattr(front, "status", "502 Bad Gateway"), "active", "status 502"),
    ],
    ids=["expired", "for-another-name", "gone", "not-ours", "edge-down"],
)
def test_https_that_is_lost_makes_it_pending_and_an_edge_that_is_down_does_not(world, spoil, state, words):
    profile = world.profile(world.account())
    activate(world, profile)
    spoil(world.front)
    assert world.check(hours=2) == state
    assert words in world.hints(profile)["tls"]


def test_a_certificate_of_an_authority_that_nobody_knows_is_none(world, tmp_path):
    profile = world.profile(world.account())
    world.publish(world.setup(profile).records)
    stranger = Authority(tmp_path, name="Somebody else")
    world.front.certificates[profile.link_domain] = stranger.context(profile.link_domain)
    world.check()
    assert world.check(seconds=6) == "creating"
    assert "unable to get local issuer certificate" in world.hints(profile)["tls"]


def test_a_caa_record_that_forbids_the_authority_is_named(world):
    profile = world.profile(world.account())
    world.publish(world.setup(profile).records, extra={"shop.example": '@ CAA 0 issue "other.example"\n'})
    world.check()
    assert world.check(seconds=6) == "creating"
    assert 'letsencrypt.org issue no certificate: add 0 issue "letsencrypt.org"' in world.hints(profile)["tls"]


def test_records_of_bytes_that_are_no_text_are_told_like_others(world):
    profile = world.profile(world.account())
    wanted = world.setup(profile).records
    strange = f'{wanted[0].name}. TXT "a\\000b"\n@ CAA 0 issue "ca\\255.example"\n'
    world.publish(wanted[1:], extra={"shop.example": strange})
    world.check()
    assert world.setup(profile).records[0].found == (r"a\x00b",)

    world.publish(wanted, extra={"shop.example": '@ CAA 0 issue "ca\\255.example"\n'})
    world.check(minutes=1)
    world.check(seconds=6)
    assert r"ca\xff.example" in world.hints(profile)["tls"]


def test_a_link_domain_at_an_apex_leads_to_the_addresses_themselves(world):
    profile = world.profile(world.account(), link_domain="shop.example")
    assert [each.type for each in world.setup(profile).records if each.purpose == "link"] == ["ALIAS"]
    world.publish(world.setup(profile).records)
    world.front.certify("shop.example")
    world.check()
    assert world.check(seconds=6) == "active"


def test_a_link_domain_elsewhere_is_proven_by_a_record(world):
    owner = world.account()
    profile = world.profile(owner, link_domain="go.example")
    records = world.setup(profile).records
    world.front.certify("go.example")
    world.publish([each for each in records if each.purpose != "ownership"])
    world.check()
    assert world.check(minutes=1) == "creating"
    assert (world.published(), world.owner_of("go.example")) == (set(), None)

    world.publish(records)
    world.check(minutes=5)
    assert world.check(seconds=6) == "active"
    assert world.owner_of("go.example") == owner.number
    world.publish([each for each in records if each.purpose != "ownership"])
    assert world.check(hours=2) == "active"


def test_who_names_a_link_domain_first_and_cannot_prove_it_keeps_no_owner_out(world):
    squatter, owner = world.account(), world.account()
    squatted = world.profile(squatter, sending_domain="evil.example")
    mine = world.profile(owner)
    world.publish(world.setup(mine).records, extra={"evil.example": "@ TXT x\n"})
    world.front.certify(mine.link_domain)
    world.check()
    world.check(minutes=1)

    assert world.owner_of("links.shop.example") == owner.number
    assert find_profile(world.database, owner, mine.public_id).state == "active"
    assert find_profile(world.database, squatter, squatted.public_id).state == "creating"
    # Not even with every record of its own in place:
    world.publish(
        [*world.setup(mine).records, *(each for each in world.setup(squatted).records if each.purpose != "link")]
    )
    world.check(hours=5)
    assert find_profile(world.database, squatter, squatted.public_id).state == "creating"
    assert "belongs to another account" in world.hints(squatted)["tls"]
    with pytest.raises(ConflictError, match="belongs to another account"):
        world.profile(squatter)


def test_a_link_domain_that_is_not_proven_gets_no_certificate_whoever_points_it_here(world):
    """A link domain that leads here, of a sender who proves nothing."""
    world.profile(world.account(), sending_domain="evil.example")
    world.publish([], extra={"shop.example": "links CNAME edge.waypost.example.\n", "evil.example": "@ TXT x\n"})
    world.check()
    world.check(minutes=1)
    assert (world.published(), world.front.visits) == (set(), [])


def test_a_link_domain_stays_its_accounts_until_an_operator_releases_it(world):
    owner, heir = world.account(), world.account()
    profile = world.profile(owner)
    activate(world, profile)
    with pytest.raises(ConflictError, match=str(profile.public_id)):
        release_link_domain(world.database, world.sources, profile.link_domain)
    delete_profile(world.database, world.sources, owner, profile.public_id)
    assert (world.owner_of(profile.link_domain), world.published()) == (owner.number, {profile.link_domain})
    with pytest.raises(ConflictError):
        world.profile(heir)

    release_link_domain(world.database, world.sources, profile.link_domain)
    assert world.published() == set()
    inherited = world.profile(heir)
    activate(world, inherited)
    assert world.owner_of(profile.link_domain) == heir.number


def test_an_operators_word_stands_for_a_proof_and_names_the_account_where_there_are_several(world):
    first, second = world.account(), world.account()
    world.profile(first)
    world.profile(second)
    with pytest.raises(ConflictError, match="2 accounts"):
        publish_link_domain(world.database, world.sources, "links.shop.example")
    publish_link_domain(world.database, world.sources, "links.shop.example", second)
    assert world.owner_of("links.shop.example") == second.number
    with pytest.raises(ConflictError, match="belongs to another account"):
        publish_link_domain(world.database, world.sources, "links.shop.example", first)


def test_https_managed_elsewhere_is_not_looked_at_but_everything_else_is(world, tmp_path):
    world.settings = load(
        None,
        {
            "WAYPOST_DNS__EDGE_HOST": "edge.waypost.example",
            "WAYPOST_DNS__RESOLVERS": world.first.resolver,
            "WAYPOST_DNS__TLS_MANAGED_ELSEWHERE": "true",
        },
        tmp_path,
    )
    profile = world.profile(world.account())
    assert world.check() == "creating"
    world.publish(world.setup(profile).records)
    assert world.check(seconds=15) == "active"
    assert world.front.visits == []
    assert world.published() == {profile.link_domain}


def test_a_development_link_domain_stays_active_and_nothing_is_asked(world):
    profile = world.profile(world.account(), link_domain="localhost")
    assert world.check() == "active"
    assert (world.setup(profile).link_domain.state, world.published()) == ("valid", set())


def test_two_processes_do_not_check_the_same_profile_at_once(world):
    for _ in range(3):
        world.profile(world.account())
    first = claim_due(world.database, world.now, 2)
    second = claim_due(world.database, world.now, 8)
    assert len(first) == 2
    assert len(second) == 1
    assert claim_due(world.database, world.now, 8) == []
    later = claim_due(world.database, world.now + LEASE, 8)  # both died
    assert {each.number for each in later} == {each.number for each in (*first, *second)}


def test_many_profiles_of_one_account_hold_up_nobody_elses(world):
    crowd = world.account()
    for _ in range(6):
        world.profile(crowd)
    world.now += timedelta(seconds=1)
    others = {world.profile(world.account()).number for _ in range(2)}

    def claimed(limit):
        return {each.number for each in claim_due(world.database, world.now, limit)}

    first = claimed(2)
    assert len(first & others) == 1
    assert claimed(1) == others - first
    assert len(claimed(8)) == 5


def test_what_another_process_has_taken_over_is_left_to_it(world):
    profile = world.profile(world.account())
    (slow,) = claim_due(world.database, world.now, 8)
    world.now += LEASE
    (taken,) = claim_due(world.database, world.now, 8)
    nobodys = Claim(owned=False, taken=False, published_at=None)
    assert record(world.database, slow, [], nobodys, world.now, began_at=START, chance=0.5) is None
    assert find_profile(world.database, None, profile.public_id).state == "creating"
    assert record(world.database, taken, [], nobodys, world.now, began_at=world.now, chance=0.5).after == "active"


def test_a_check_that_is_asked_for_during_one_is_done_after_it(world):
    profile = world.profile(world.account())
    (claimed,) = claim_due(world.database, world.now, 8)
    began_at = world.now
    world.now += timedelta(seconds=20)
    request_check(world.database, world.sources, None, profile.public_id)
    nobodys = Claim(owned=False, taken=False, published_at=None)
    setup = world.setup(profile)
    record(world.database, claimed, [setup.link_domain], nobodys, world.now, began_at=began_at, chance=0.5)
    assert world.planned(profile) == timedelta(0)


def test_a_profile_that_is_deleted_while_it_is_checked_stays_deleted(world):
    profile = world.profile(world.account())
    (claimed,) = claim_due(world.database, world.now, 8)
    delete_profile(world.database, world.sources, None, profile.public_id)
    nobodys = Claim(owned=False, taken=False, published_at=None)
    assert record(world.database, claimed, [], nobodys, world.now, began_at=world.now, chance=0.5) is None
    with world.database.reading() as session:
        assert session.get_one(Profile, profile.number).state == "disabled"


def test_profiles_of_a_release_without_checks_are_looked_at_too(world):
    profile = world.profile(world.account())
    with world.database.writing() as session:
        session.delete(session.get_one(ProfileCheck, profile.number))
    add_missing_checks(world.database, world.now)
    add_missing_checks(world.database, world.now)
    assert len(claim_due(world.database, world.now, 8)) == 1


def test_settings_that_bounces_need_are_asked_of_the_operator_and_keep_no_profile_back(world):
    world.settings = load(None, {**world.environment, "WAYPOST_DNS__BOUNCE_HOST": ""}, world.settings.data)
    profile = world.profile(world.account(), bounce_domain="shop.example")
    activate(world, profile)

    with world.database.reading() as session:
        found = decode_findings(session.get_one(ProfileCheck, profile.number).findings)
    unset = {each.purpose: (each.state, each.required, each.problem) for each in found if each.problem}
    assert unset["bounce"] == ("unknown", False, "bounce_host_unset")
    assert unset["spf"] == ("unknown", False, "spf_unset")


def test_a_link_domain_without_edges_waits_for_the_operator_whatever_its_dns_says(world):
    world.settings = load(None, {**world.environment, "WAYPOST_DNS__EDGE_HOST": ""}, world.settings.data)
    profile = world.profile(world.account(), link_domain="links.nowhere.example")

    assert world.check() == "creating"
    with world.database.reading() as session:
        found = decode_findings(session.get_one(ProfileCheck, profile.number).findings)
    problems = {each.purpose: each.problem for each in found}
    assert (problems["link"], problems["tls"]) == ("edge_host_unset", "edge_host_unset")


def test_at_start_the_log_says_for_how_many_profiles_settings_are_missing(world, caplog):
    world.settings = load(None, {}, world.settings.data)
    owner = world.account()
    profiles = [
        world.profile(owner, bounce_domain=domain, link_domain="localhost")
        for domain in ("shop.example", "bounces.shop.example")
    ]

    async def start():
        stop = asyncio.Event()
        checking = asyncio.create_task(
            run(world.settings, world.database, lambda: KEYRING, world.context, stop, may_ask=lambda _: True)
        )
        async with asyncio.timeout(60):
            while not all(world.setup(profile).checked_at for profile in profiles):
                assert not checking.done()
                await asyncio.sleep(0.05)
        stop.set()
        await checking

    asyncio.run(start())
    said = [record.message for record in caplog.records if "The operator of this install" in record.message]
    assert len(said) == 2
    assert "dns.bounce_host" in said[0]
    assert "mail.spf" in said[1]
    assert all("shop.example" in line and line.endswith("So it is with 2 profile(s).") for line in said)


def test_it_runs_by_itself_until_it_is_told_to_stop(world):
    profile = world.profile(world.account())
    world.publish(world.setup(profile).records)
    world.front.certify(profile.link_domain)

    async def run_until_active():
        stop = asyncio.Event()
        checking = asyncio.create_task(
            run(
                world.settings,
                world.database,
                lambda: KEYRING,
                world.context,
                stop,
                name_server_port=world.first.port,
                may_ask=lambda _: True,
            )
        )
        async with asyncio.timeout(60):
            while find_profile(world.database, None, profile.public_id).state != "active":
                assert not checking.done()
                await asyncio.sleep(0.2)
            stop.set()
            await checking

    asyncio.run(run_until_active())
