"""Two requests for the same thing at once are answered as if one had come after the other."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select
from tests.rsa_key import rsa_private_key

from waypost.config import load
from waypost.control.accounts.schema import NewAccount
from waypost.control.accounts.service import create_account, sign_up
from waypost.control.blocks.schema import NewBlock
from waypost.control.blocks.service import Asker, add_block, remove_block
from waypost.control.edges.schema import NewEdge
from waypost.control.edges.service import add_edge
from waypost.control.errors import ConflictError, NotFoundError
from waypost.control.idempotency import AnsweredError, Answers, KeyedRequest
from waypost.control.oauth.schema import Revoked
from waypost.control.profiles.schema import NewProfile
from waypost.control.profiles.service import create_profile, delete_profile, request_check
from waypost.control.publishing.service import snapshot_changes, snapshot_version
from waypost.control.sources import SYSTEM, Sources
from waypost.control.verification.queue import Claimed, add_missing_checks, read_subject, settle_claim
from waypost.control.webhooks import service as webhooks
from waypost.control.webhooks.schema import NewEndpoint
from waypost.db import ControlKey
from waypost.db.tables import Account, Block, Edge, LinkDomain, Profile, ProfileCheck, WebhookEndpoint
from waypost.fleet.snapshot import BlockKind
from waypost.links.keyring import Keyring

NOW = datetime(2026, 3, 29, 1, 30, 15, tzinfo=UTC)
AT_ONCE = 6
KEYRING = Keyring.new(bytes(range(64)))


@pytest.fixture
def sources():
    return Sources(lambda: NOW, SYSTEM.random_bytes, rsa_private_key)


def at_once(act):
    """What each of some calls returned or refused; anything but a refusal fails the test."""
    start = threading.Barrier(AT_ONCE)

    def one(number):
        start.wait(10)
        try:
            return act(number)
        except ConflictError as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def refused(answers):
    return [answer for answer in answers if isinstance(answer, ConflictError)]


def count(database, table):
    with database.reading() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


def owner(database, sources, name="owner"):
    return create_account(database, sources, NewAccount(name=name, email=f"{name}@shop.example"))


def profile_of(database, sources, account, link_domain="links.shop.example"):
    new = NewProfile(profile_name="p", sending_domain="shop.example", link_domain=link_domain)
    return create_profile(database, sources, account, new, (), control_key=ControlKey(b"k" * 32))


def test_profiles_on_one_new_link_domain_are_all_made(database, sources):
    account = owner(database, sources)

    made = at_once(lambda _: profile_of(database, sources, account))

    assert len({profile.number for profile in made}) == AT_ONCE == count(database, Profile)
    assert count(database, LinkDomain) == 1


@pytest.mark.parametrize("create", [create_account, sign_up])
def test_of_accounts_with_one_address_one_is_made_and_the_others_are_a_conflict(database, sources, create):
    new = NewAccount(name="Ada", email="ada@shop.example")

    answers = at_once(lambda _: create(database, sources, new))

    assert len(refused(answers)) == AT_ONCE - 1
    assert count(database, Account) == 1


def test_of_edges_with_one_name_one_is_made_and_the_others_are_a_conflict(database, sources):
    answers = at_once(lambda _: add_edge(database, sources, NewEdge(name="edge-1")))

    assert len(refused(answers)) == AT_ONCE - 1
    assert count(database, Edge) == 1


def test_endpoints_that_are_created_at_once_are_no_more_than_an_account_may_have(
    database, sources, tmp_path, monkeypatch
):
    monkeypatch.setattr(webhooks, "MAX_ENDPOINTS", 1)
    control = SimpleNamespace(
        database=database, sources=sources, control_key=ControlKey(b"k" * 32), settings=load(None, {}, tmp_path)
    )
    account = owner(database, sources)

    answers = at_once(lambda _: webhooks.create_endpoint(control, account, NewEndpoint(url="https://hooks.example/")))

    assert len(refused(answers)) == AT_ONCE - 1
    assert count(database, WebhookEndpoint) == 1


def test_a_thing_is_blocked_once_and_everybody_is_told_of_that_block(database, sources):
    new = NewBlock(kind=BlockKind.HOST, value="evil.example", reason="phishing")

    blocks = at_once(lambda number: add_block(database, sources, KEYRING, Asker(f"cli{number}", None), new))

    assert len({block.public_id for block in blocks}) == 1
    assert count(database, Block) == 1


def test_blocking_while_it_is_lifted_leaves_one_block_or_none(database, sources):
    new, asker = NewBlock(kind=BlockKind.HOST, value="evil.example", reason="phishing"), Asker("cli", None)
    first = add_block(database, sources, KEYRING, asker, new)

    def act(number):
        if number == 0:
            return remove_block(database, sources, asker, first.public_id)
        return add_block(database, sources, KEYRING, asker, new)

    at_once(act)

    with database.reading() as session:
        in_force = session.scalars(select(Block).where(Block.removed_at.is_(None))).all()
    assert len(in_force) <= 1


def test_the_first_changes_of_the_snapshot_are_each_counted(database):
    def change(_):
        with database.writing() as session:
            snapshot_changes(session, datetime.fromtimestamp(0, UTC))

    at_once(change)

    assert snapshot_version(database) == AT_ONCE


def test_checks_asked_for_at_once_are_one_check(database, sources):
    account = owner(database, sources)
    profile = profile_of(database, sources, account)
    with database.writing() as session:
        session.delete(session.get_one(ProfileCheck, profile.number))

    def act(number):
        if number % 2:
            return add_missing_checks(database, NOW)
        return request_check(database, sources, account, profile.public_id)

    at_once(act)

    assert count(database, ProfileCheck) == 1


def test_a_check_that_is_asked_for_while_its_profile_is_deleted_is_not_left_behind(database, sources):
    account = owner(database, sources)
    profiles = [profile_of(database, sources, account) for _ in range(4)]

    def act(number):
        for profile in profiles:
            try:
                if number == 0:
                    delete_profile(database, sources, account, profile.public_id)
                else:
                    request_check(database, sources, account, profile.public_id)
            except NotFoundError:
                continue

    at_once(act)

    assert count(database, ProfileCheck) == 0


def test_a_released_link_domain_that_two_prove_at_once_is_one_s(database, sources, tmp_path):
    settings = load(None, {}, tmp_path)
    profiles = [profile_of(database, sources, owner(database, sources, name)) for name in ("ada", "bob")]
    with database.writing() as session:
        session.delete(session.get_one(LinkDomain, "links.shop.example"))
    subjects = [read_subject(database, settings, Claimed(profile.number, NOW)) for profile in profiles]

    claims = at_once(lambda number: settle_claim(database, subjects[number % 2], NOW, proven=True, leads_here=True))

    assert {claim.owned for claim in claims} == {True, False}
    assert len({number % 2 for number, claim in enumerate(claims) if claim.owned}) == 1


def test_transactions_that_remember_the_same_idempotency_keys_never_wait_for_each_other(database, sources):
    number = owner(database, sources).number
    first, second = (KeyedRequest(number, key, "digest", 202) for key in ("a", "b"))

    def remember(session, *requests):
        Answers(sources).remember(session, [(each, Revoked) for each in requests])

    def remember_both():
        with database.writing() as session:
            remember(session, second, first)

    with ThreadPoolExecutor(1) as pool:
        with database.writing() as session:
            remember(session, first)
            both = pool.submit(remember_both)
            time.sleep(0.5)  # by then it waits for the first one, on PostgreSQL, and must not hold the second one
            remember(session, second)
        with pytest.raises(AnsweredError):
            both.result(60)
