"""Accounts, the decisions on them, and what belongs to whom."""

from uuid import uuid4

import pytest
from sqlalchemy import select
from tests.rsa_key import rsa_private_key

from waypost.control.accounts.schema import NewAccount
from waypost.control.accounts.service import DECISIONS, create_account, decide, find_account, list_accounts
from waypost.control.errors import ConflictError, NotFoundError
from waypost.control.keys.schema import NewApiKey
from waypost.control.keys.service import create_api_key, list_api_keys, revoke_api_key
from waypost.control.profiles.schema import NewProfile
from waypost.control.profiles.service import create_profile, list_profiles
from waypost.control.sources import SYSTEM, Sources
from waypost.db import ControlKey
from waypost.db.states import AccountState, ProfileState, Role
from waypost.db.tables import Account, AccountDecision, LinkDomain


@pytest.fixture
def owner(database):
    return create_account(database, SYSTEM, NewAccount(name="Owner", email="owner@example.com"))


@pytest.fixture
def stranger(database):
    return create_account(database, SYSTEM, NewAccount(name="Stranger", email="stranger@example.com"))


@pytest.fixture
def new_profile(database):
    sources = Sources(SYSTEM.clock, SYSTEM.random_bytes, rsa_private_key)

    def create(account, new):
        return create_profile(database, sources, account, new, ["localhost"], control_key=ControlKey(b"k" * 32))

    return create


def a_profile(**fields):
    return NewProfile(**{"profile_name": "p", "sending_domain": "example.com", "link_domain": "l.example.com"} | fields)


def test_an_account_starts_pending(owner):
    assert (owner.state, owner.is_operator) == (AccountState.PENDING, False)


def test_an_address_has_one_account(database, owner):
    with pytest.raises(ConflictError, match=owner.email):
        create_account(database, SYSTEM, NewAccount(name="Again", email=owner.email))


def test_an_account_is_found_by_id_and_by_address(database, owner):
    assert find_account(database, str(owner.public_id)).number == owner.number
    assert find_account(database, owner.email).number == owner.number


@pytest.mark.parametrize("name", ["nobody@example.com", "019cb7d4-0d59-7000-8000-000000000001", "", "x"])
def test_what_is_no_account_is_not_found(database, owner, name):
    assert owner
    with pytest.raises(NotFoundError, match="no such account"):
        find_account(database, name)


@pytest.mark.parametrize("state", list(AccountState))
@pytest.mark.parametrize("decision", list(AccountState))
def test_only_the_decisions_of_the_table_are_taken(database, owner, state, decision):
    with database.writing() as session:
        session.get_one(Account, owner.number).state = state

    if decision in DECISIONS[state]:
        assert decide(database, SYSTEM, owner.public_id, decision, decided_by="cli").state is decision
    else:
        with pytest.raises(ConflictError, match=f"the account is {state}"):
            decide(database, SYSTEM, owner.public_id, decision, decided_by="cli")
        assert find_account(database, owner.email).state is state


def test_the_history_of_decisions_is_kept_and_the_reason_is_the_last_ones(database, owner):
    for state, reason in [
        (AccountState.APPROVED, None),
        (AccountState.SUSPENDED, "spam"),
        (AccountState.APPROVED, None),
    ]:
        account = decide(database, SYSTEM, owner.public_id, state, reason=reason, decided_by="ops@example.com")

    assert account.rejected_reason is None
    with database.reading() as session:
        history = session.scalars(select(AccountDecision).order_by(AccountDecision.number)).all()
    assert [(step.state, step.reason, step.decided_by) for step in history] == [
        ("approved", None, "ops@example.com"),
        ("suspended", "spam", "ops@example.com"),
        ("approved", None, "ops@example.com"),
    ]


def test_nobodys_account_cannot_be_decided_on(database):
    with pytest.raises(NotFoundError):
        decide(database, SYSTEM, uuid4(), AccountState.APPROVED, decided_by="cli")


def test_accounts_are_listed_oldest_first(database, owner, stranger):
    assert [account.email for account in list_accounts(database)] == [owner.email, stranger.email]


@pytest.mark.parametrize(
    ("link_domain", "state"), [("localhost", ProfileState.ACTIVE), ("l.example.com", ProfileState.CREATING)]
)
def test_only_a_development_link_domain_is_active_at_once(new_profile, owner, link_domain, state):
    assert new_profile(owner, a_profile(link_domain=link_domain)).state is state


def test_a_link_domain_that_is_proven_belongs_to_its_account(new_profile, database, owner, stranger):
    new_profile(owner, a_profile())
    with database.writing() as session:
        session.get_one(LinkDomain, "l.example.com").proven_at = SYSTEM.now()
    new_profile(owner, a_profile(profile_name="second"))

    with pytest.raises(ConflictError, match=r"l\.example\.com belongs to another account"):
        new_profile(stranger, a_profile())
    assert list_profiles(database, stranger) == []
    assert [profile.profile_name for profile in list_profiles(database, owner)] == ["p", "second"]


def test_a_link_domain_that_is_only_named_keeps_nobody_out(new_profile, database, owner, stranger):
    new_profile(stranger, a_profile())

    assert new_profile(owner, a_profile()).state is ProfileState.CREATING
    with database.reading() as session:
        assert session.get_one(LinkDomain, "l.example.com").proven_at is None


def test_a_development_link_domain_is_everybodys(new_profile, owner, stranger):
    for account in (owner, stranger):
        new_profile(account, a_profile(link_domain="localhost"))


def test_domains_are_kept_in_one_spelling(new_profile, owner):
    profile = new_profile(
        owner, a_profile(sending_domain="Bücher.Example", link_domain="L.Bücher.example", bounce_domain="B.example")
    )

    assert (profile.sending_domain, profile.link_domain, profile.bounce_domain) == (
        "xn--bcher-kva.example",
        "l.xn--bcher-kva.example",
        "b.example",
    )


def test_keys_are_listed_with_revoked_ones_and_without_those_of_others(database, owner, stranger):
    first, second = (
        create_api_key(database, SYSTEM, owner.public_id, NewApiKey(name=name, role=Role.STANDARD)) for name in "ab"
    )
    create_api_key(database, SYSTEM, stranger.public_id, NewApiKey(name="c", role=Role.STANDARD))
    revoked = revoke_api_key(database, SYSTEM, first.api_key.public_id)
    again = revoke_api_key(database, SYSTEM, first.api_key.public_id)

    assert revoked.revoked_at == again.revoked_at
    assert [(key.name, key.revoked_at) for key in list_api_keys(database, owner.public_id)] == [
        ("a", revoked.revoked_at),
        ("b", None),
    ]
    assert first.secret != second.secret


@pytest.mark.parametrize(
    "act",
    [
        lambda database: create_api_key(database, SYSTEM, uuid4(), NewApiKey(name="k", role=Role.IAC)),
        lambda database: list_api_keys(database, uuid4()),
        lambda database: revoke_api_key(database, SYSTEM, uuid4()),
    ],
)
def test_what_is_not_there_is_not_found(database, act):
    with pytest.raises(NotFoundError):
        act(database)
