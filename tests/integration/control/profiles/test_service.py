"""What can be done with a profile besides creating it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from tests.rsa_key import rsa_private_key

from waypost.config import load
from waypost.control.accounts.schema import NewAccount
from waypost.control.accounts.service import create_account
from waypost.control.errors import NotFoundError
from waypost.control.profiles.schema import NewProfile
from waypost.control.profiles.service import (
    CHECKS_APART,
    create_profile,
    delete_profile,
    find_profile,
    list_profiles,
    request_check,
)
from waypost.control.profiles.setup import setup_of
from waypost.control.publishing.service import snapshot_of
from waypost.control.sources import SYSTEM, Sources
from waypost.control.verification.findings import Finding, RecordState, encode_findings
from waypost.control.verification.records import Purpose
from waypost.db import ControlKey
from waypost.db.states import ProfileState
from waypost.db.tables import DkimKey, LinkDomain, Profile, ProfileCheck

NOW = datetime(2026, 3, 29, 1, 30, 15, tzinfo=UTC)
SETTINGS = {
    "WAYPOST_DNS__EDGE_HOST": "edge.waypost.example",
    "WAYPOST_DNS__EDGE_ADDRESSES": "192.0.2.1,2001:db8::1",
    "WAYPOST_DNS__BOUNCE_HOST": "bounces.waypost.example",
    "WAYPOST_MAIL__SPF": "v=spf1 include:spf.relay.example ~all",
}


@pytest.fixture
def settings(tmp_path):
    return load(None, SETTINGS, tmp_path)


@pytest.fixture
def sources():
    return Sources(lambda: NOW, SYSTEM.random_bytes, rsa_private_key)


@pytest.fixture
def owner(database, sources):
    return create_account(database, sources, NewAccount(name="Owner", email="owner@shop.example"))


@pytest.fixture
def stranger(database, sources):
    return create_account(database, sources, NewAccount(name="Stranger", email="stranger@other.example"))


@pytest.fixture
def profile(owner, new_profile):
    return new_profile(owner)


@pytest.fixture
def new_profile(database, sources):
    def create(account, **fields):
        new = {"profile_name": "p", "sending_domain": "shop.example", "link_domain": "links.shop.example"} | fields
        return create_profile(
            database, sources, account, NewProfile(**new), ["localhost"], control_key=ControlKey(b"k" * 32)
        )

    return create


def rows(setup):
    return [(each.purpose, each.type, each.name, each.required) for each in setup.records]


def test_a_profile_is_checked_as_soon_as_it_is_created(database, profile):
    with database.reading() as session:
        assert session.get_one(ProfileCheck, profile.number).next_check_at == NOW


@pytest.mark.parametrize(
    "act", [find_profile, lambda database, account, profile: setup_of(database, None, account, profile)]
)
def test_a_profile_of_another_account_looks_absent(database, act, profile, owner, stranger):
    for account, profile_id in [(stranger, profile.public_id), (owner, uuid4())]:
        with pytest.raises(NotFoundError, match="no such profile"):
            act(database, account, profile_id)


def test_a_profile_is_found_by_its_owner_and_by_an_operator(database, profile, owner):
    assert find_profile(database, owner, profile.public_id).number == profile.number
    assert find_profile(database, None, profile.public_id).number == profile.number


def test_another_account_can_neither_check_nor_delete_it(database, sources, profile, stranger):
    for act in (request_check, delete_profile):
        with pytest.raises(NotFoundError):
            act(database, sources, stranger, profile.public_id)
    with database.reading() as session:
        assert session.get_one(Profile, profile.number).deleted_at is None


def test_what_is_to_be_published_is_shown_in_full_before_anything_was_looked_at(database, settings, new_profile, owner):
    profile = new_profile(owner, link_domain="go.else.example", bounce_domain="bounces.shop.example")
    setup = setup_of(database, settings, owner, profile.public_id)

    selectors = [record.name.partition(".")[0] for record in setup.records[:2]]
    assert rows(setup) == [
        ("dkim", "TXT", f"{selectors[0]}._domainkey.shop.example", True),
        ("dkim_ed25519", "TXT", f"{selectors[1]}._domainkey.shop.example", False),
        ("bounce", "CNAME", "bounces.shop.example", True),
        ("link", "CNAME", "go.else.example", True),
        ("ownership", "TXT", "_waypost.go.else.example", True),
        ("dmarc", "TXT", "_dmarc.shop.example", False),
    ]
    assert {record.validation_state for record in setup.records} == {RecordState.UNKNOWN}
    assert [record.value for record in setup.records[2:]] == [
        "bounces.waypost.example",
        "edge.waypost.example",
        f"waypost-account={owner.public_id}",
        "v=DMARC1; p=none",
    ]
    assert (setup.checked_at, setup.next_check_at, setup.link_domain.state) == (None, NOW, "unknown")


def test_what_was_seen_is_shown_beside_each_record(database, settings, profile, owner):
    seen = [
        Finding(purpose=Purpose.DKIM, state=RecordState.VALID, required=True, found=("v=DKIM1; p=x",)),
        Finding(purpose=Purpose.LINK, state=RecordState.WRONG, required=True, found=("192.0.2.9",), hint="mend it"),
        Finding(purpose=Purpose.TLS, state=RecordState.UNKNOWN, required=True, hint="later"),
    ]
    with database.writing() as session:
        check = session.get_one(ProfileCheck, profile.number)
        check.findings, check.checked_at = encode_findings(seen), NOW

    setup = setup_of(database, settings, owner, profile.public_id)
    by_purpose = {record.purpose: record for record in setup.records}
    assert (by_purpose["dkim"].validation_state, by_purpose["dkim"].found) == ("valid", ())
    link = by_purpose["link"]
    assert (link.validation_state, link.found, link.hint) == ("wrong", ("192.0.2.9",), "mend it")
    assert by_purpose["dmarc"].validation_state == "unknown"
    assert (setup.link_domain.hint, setup.checked_at) == ("later", NOW)


def test_of_several_addresses_those_that_are_not_published_are_missing_and_no_ipv6_is_needed(
    database, settings, new_profile, owner
):
    profile = new_profile(owner, link_domain="go.example")
    with database.writing() as session:
        found = Finding(purpose=Purpose.LINK, state=RecordState.VALID, required=True, found=("192.0.2.1",))
        session.get_one(ProfileCheck, profile.number).findings = encode_findings([found])

    shown = [each for each in setup_of(database, settings, owner, profile.public_id).records if each.purpose == "link"]
    assert [(each.type, each.value, each.validation_state, each.required) for each in shown] == [
        ("A", "192.0.2.1", "valid", True),
        ("AAAA", "2001:db8::1", "missing", False),
    ]


@pytest.mark.parametrize(
    ("setting", "bounce_domain", "hint"),
    [
        ("WAYPOST_DNS__BOUNCE_HOST", "bounces.shop.example", "dns.bounce_host"),
        ("WAYPOST_MAIL__SPF", "shop.example", "mail.spf"),
    ],
)
def test_what_the_operator_has_not_set_for_the_bounce_domain_is_said_until_it_is(
    database, settings, tmp_path, new_profile, owner, setting, bounce_domain, hint
):
    profile = new_profile(owner, bounce_domain=bounce_domain)
    lacking = load(None, {name: value for name, value in SETTINGS.items() if name != setting}, tmp_path)

    assert hint in setup_of(database, lacking, owner, profile.public_id).bounce_domain_hint
    assert setup_of(database, settings, owner, profile.public_id).bounce_domain_hint == ""


def test_without_edges_a_link_domain_has_to_wait_and_says_so_before_it_was_ever_looked_at(
    database, settings, tmp_path, profile, owner
):
    nowhere = load(None, {}, tmp_path)
    setup = setup_of(database, nowhere, owner, profile.public_id)

    assert (setup.link_domain.state, setup.link_domain.problem) == ("unknown", "edge_host_unset")
    with database.writing() as session:
        session.get_one(ProfileCheck, profile.number).findings = encode_findings([setup.link_domain])
    assert "dns.edge_host" not in setup_of(database, settings, owner, profile.public_id).link_domain.hint


def test_a_development_link_domain_needs_nothing_to_be_active(database, settings, new_profile, owner):
    profile = new_profile(owner, link_domain="localhost")
    setup = setup_of(database, settings, owner, profile.public_id)

    assert {"link", "ownership"}.isdisjoint(record.purpose for record in setup.records)
    assert (setup.profile.state, setup.link_domain.state, setup.next_check_at) == ("active", "valid", None)


def test_a_check_that_is_asked_for_comes_at_once_but_not_twice_at_once(database, sources, profile, owner):
    def planned(checked_at, next_check_at):
        with database.writing() as session:
            check = session.get_one(ProfileCheck, profile.number)
            check.checked_at, check.next_check_at, check.watched_from = checked_at, next_check_at, NOW - timedelta(9)
        request_check(database, sources, owner, profile.public_id)
        with database.reading() as session:
            check = session.get_one(ProfileCheck, profile.number)
            assert check.watched_from == NOW
            return check.next_check_at

    assert planned(NOW - timedelta(hours=1), NOW + timedelta(hours=1)) == NOW
    just_now = NOW - timedelta(seconds=5)
    assert planned(just_now, NOW + timedelta(hours=1)) == just_now + CHECKS_APART
    assert planned(just_now, NOW + timedelta(seconds=1)) == NOW + timedelta(seconds=1)


def test_a_deleted_profile_is_gone_but_its_row_its_keys_and_its_link_domain_stay(database, sources, profile, owner):
    with database.writing() as session:
        claim = session.get_one(LinkDomain, profile.link_domain)
        claim.proven_at = claim.published_at = NOW
    before = snapshot_of(database, [], NOW, lambda send_id: send_id)
    delete_profile(database, sources, owner, profile.public_id)

    assert list_profiles(database, owner) == []
    with pytest.raises(NotFoundError):
        find_profile(database, owner, profile.public_id)
    with database.reading() as session:
        kept = session.get_one(Profile, profile.number)
        assert (kept.deleted_at, kept.state) == (NOW, ProfileState.DISABLED)
        assert session.query(DkimKey).filter_by(profile=profile.number).count() == 2
        assert session.get(ProfileCheck, profile.number) is None
    after = snapshot_of(database, [], NOW, lambda send_id: send_id)
    assert after.link_domains == before.link_domains
    assert after.version > before.version


def test_a_strangers_profile_on_a_link_domain_does_not_say_where_it_leads(database, new_profile, owner, stranger):
    new_profile(stranger, link_domain_default_redirect="https://evil.example/")
    new_profile(owner, link_domain_default_redirect="https://shop.example/")
    with database.writing() as session:
        claim = session.get_one(LinkDomain, "links.shop.example")
        claim.account, claim.proven_at, claim.published_at = owner.number, NOW, NOW

    published = snapshot_of(database, [], NOW, lambda send_id: send_id).link_domains["links.shop.example"]
    assert published.default_redirect == "https://shop.example/"
