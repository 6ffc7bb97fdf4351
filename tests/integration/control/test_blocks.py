"""The kill switch in the API (L7): who may block what, and what edges are told."""

import os
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest

from waypost.config import load
from waypost.control.publishing.link_domains import publish_link_domain, release_link_domain
from waypost.control.publishing.service import Publisher, snapshot_of
from waypost.db.erasing import delete_sends
from waypost.db.pseudonym import pseudonym
from waypost.db.states import Role
from waypost.fleet.snapshot import decode_snapshot, link_digest
from waypost.keyfile.snapshot import load_snapshot, snapshot_path
from waypost.links.keyring import Keyring
from waypost.links.token import Kind, Payload, seal

PATH = "/api/v1/link/block"
DESTINATION = "https://shop.example/sale?a=1"
MODES = ("identified", "pseudonymous")


def blocks(api):
    return snapshot_of(api.database, api.development_domains, api.clock(), partial(pseudonym, api.control_key)).blocks


def operator(api):
    """A key of the operator's account, which the first start made."""
    from sqlalchemy import select  # noqa: PLC0415

    from waypost.db.tables import Account  # noqa: PLC0415

    tenant = api.tenant()
    with api.database.reading() as session:
        account = session.scalars(select(Account).where(Account.is_operator)).one()
    other = type(tenant)(tenant.client, account, api.another_key(account, Role.IAC), "localhost")
    other.login()
    return other


def tracked(api, tenant, destination=DESTINATION):
    payload = Payload(
        Kind.CLICK, tenant.account.number, tenant.profile.number, 0, destination, api.sources.event_id(api.clock())
    )
    return f"http://localhost:8026/c/{seal(payload, 'localhost', api.keyring)}?utm_source=x"


def block(tenant, kind, value, reason="phishing"):
    return tenant.post(PATH, {"kind": kind, "value": str(value), "reason": reason})


def lift(tenant, block_id):
    return tenant.delete(f"{PATH}/{block_id}")


@pytest.fixture
def shop(api):
    return api.tenant()


def test_a_tracked_link_is_blocked_by_where_it_leads(api, shop):
    answer = block(shop, "link", tracked(api, shop))
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["kind"], body["value"], body["reason"]) == ("link", DESTINATION, "phishing")
    assert body["created_by"] == shop.account.email
    assert link_digest(shop.account.number, DESTINATION) in blocks(api).links
    assert [each["block_id"] for each in shop.get(PATH).json()] == [body["block_id"]]


def test_blocking_twice_is_one_block_and_lifting_it_lifts_it(api, shop):
    first = block(shop, "link", DESTINATION).json()
    assert block(shop, "link", tracked(api, shop), "again").json() == first
    assert shop.client.delete(f"{PATH}/{first['block_id']}", headers=shop.headers).status_code == 204
    assert link_digest(shop.account.number, DESTINATION) not in blocks(api).links
    assert shop.get(PATH).json() == []
    assert shop.client.delete(f"{PATH}/{first['block_id']}", headers=shop.headers).status_code == 404
    assert block(shop, "link", DESTINATION).json()["block_id"] != first["block_id"]


def test_sends_and_profiles_are_blocked_by_their_ids(api, shop):
    send_id = shop.send(click_tracking=True).json()["send_id"]
    assert block(shop, "send", send_id).status_code == 201
    assert block(shop, "profile", shop.profile.public_id).status_code == 201
    told = blocks(api)
    assert send_id in {str(each) for each in told.sends}
    assert shop.profile.number in told.profiles


def test_a_blocked_send_is_told_to_edges_by_what_its_links_call_it(api, shop):
    sent = [UUID(shop.send(click_tracking=True, privacy_mode=mode).json()["send_id"]) for mode in MODES]
    before = blocks(api).sends
    assert [block(shop, "send", each).status_code for each in sent] == [201, 201]
    identified, pseudonymous = sent
    hidden = pseudonym(api.control_key, pseudonymous)
    assert blocks(api).sends - before == {identified, hidden}

    with api.database.writing() as session:  # which of the two its links say is not known any more
        delete_sends(session, [pseudonymous])
    assert blocks(api).sends - before == {identified, hidden, pseudonymous}


def test_an_anonymous_send_which_no_link_names_is_not_said_to_be_blocked(shop):
    answer = block(shop, "send", shop.send(click_tracking=True, privacy_mode="anonymous").json()["send_id"])
    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert answer.json()["message"].startswith("value: is an anonymous send")


def test_another_account_s_things_look_absent(api, shop):
    other = api.tenant()
    send_id = other.send(click_tracking=True).json()["send_id"]
    theirs = block(other, "link", DESTINATION).json()["block_id"]
    for answer in (
        block(shop, "send", send_id),
        block(shop, "profile", other.profile.public_id),
        block(shop, "link", tracked(api, other)),
        shop.client.delete(f"{PATH}/{theirs}", headers=shop.headers),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, 40402)
    assert shop.get(PATH).json() == []


def test_what_its_owner_has_blocked_and_an_operator_blocks_too_its_owner_cannot_lift_any_more(api, shop):
    theirs = block(shop, "link", DESTINATION, "a typing mistake").json()
    root = operator(api)
    ours = block(root, "link", tracked(api, shop), "phishing").json()
    assert (ours["created_by"], ours["reason"]) == (root.account.email, "phishing")
    assert block(root, "link", tracked(api, shop), "again").json() == ours

    assert lift(shop, theirs["block_id"]).status_code == 404
    assert lift(shop, ours["block_id"]).status_code == 403
    assert block(shop, "link", DESTINATION).json() == ours
    assert link_digest(shop.account.number, DESTINATION) in blocks(api).links
    assert lift(root, ours["block_id"]).status_code == 204
    assert link_digest(shop.account.number, DESTINATION) not in blocks(api).links


@pytest.mark.parametrize(("kind", "value"), [("account", "a@b.example"), ("host", "evil.example"), ("key", "1")])
def test_some_things_only_an_operator_blocks(shop, kind, value):
    answer = block(shop, kind, value)
    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert "only an operator" in answer.json()["message"]


def test_an_operator_blocks_anything_and_its_owner_cannot_lift_it(api, shop):
    root = operator(api)
    made = [
        block(root, "account", shop.account.email),
        block(root, "account", shop.account.public_id),
        block(root, "host", "*.Evil.example"),
        block(root, "host", "straße.example"),
        block(root, "host", "0300.0.2.1"),
        block(root, "host", "[2001:DB8:0::1]"),
        block(root, "key", "2"),
        block(root, "link", tracked(api, shop)),
        block(root, "profile", shop.profile.public_id),
    ]
    assert [answer.status_code for answer in made] == [201] * len(made)
    assert made[0].json() == made[1].json()
    told = blocks(api)
    assert shop.account.number in told.accounts
    assert {"*.evil.example", "xn--strae-oqa.example", "192.0.2.1", "[2001:db8::1]"} <= told.hosts
    assert 2 in told.keys

    def refused(tenant, block_id):
        answer = lift(tenant, block_id)
        return answer.status_code, answer.json()["code"], answer.json()["message"]

    ids = [answer.json()["block_id"] for answer in made]
    absent = (404, 40402, "there is no such block")
    listed = [each["block_id"] for each in shop.get(PATH).json()]
    assert listed == ids[7:]
    for block_id in listed:
        assert refused(shop, block_id) == (403, 40302, "what an operator blocked, only an operator lifts")
    assert {refused(shop, block_id) for block_id in ids[:7]} == {absent}, "what it does not see"
    assert {refused(api.tenant(), block_id) for block_id in ids} == {absent}
    for block_id in {answer.json()["block_id"] for answer in made}:
        assert root.client.delete(f"{PATH}/{block_id}", headers=root.headers).status_code == 204


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("link", "javascript:alert(1)"), ("link", "https://x.example/ y"), ("send", "nonsense"), ("profile", "7"),
        ("host", "evil.example/path"), ("host", "https://evil.example"), ("host", "a@evil.example"),
        ("host", "evil.example:80"), ("host", "*."), ("host", "*"), ("host", "256.0.0.1"), ("key", "0"), ("key", "one"),
        ("key", "9" * 5000), ("nothing", "x"), ("link", ""), ("account", "nobody"), ("account", "a@b\x00.example"),
        ("link", "https://x.example/\r\nx"),
    ],
)  # fmt: skip
def test_a_value_that_is_none_of_its_kind_is_refused_with_the_field(api, kind, value):
    answer = block(operator(api), kind, value)
    assert (answer.status_code, answer.json()["code"]) == (400, 40002), answer.text
    assert answer.json()["message"].startswith(("value", "kind"))


def test_the_key_that_seals_new_links_is_not_blocked(api):
    """Every new link would be dead on arrival."""
    answer = block(operator(api), "key", "1")
    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert answer.json()["message"].startswith("value: is the key that seals new links")
    assert not blocks(api).keys & {1}


@pytest.mark.parametrize(
    ("kind", "value"),
    [("account", "nobody@nowhere.example"), ("key", "200"), ("send", "019cb7d4-0d59-7000-8000-000000000001")],
)
def test_what_is_not_there_is_not_found(api, kind, value):
    assert block(operator(api), kind, value).status_code == 404


@pytest.mark.parametrize("role", [Role.READ_ONLY, Role.SEND_ONLY])
def test_keys_that_only_read_or_send_block_nothing(api, shop, role):
    other = api.as_role(shop, role)
    lifted = other.client.delete(f"{PATH}/{shop.account.public_id}", headers=other.headers)
    for answer in (block(other, "link", DESTINATION), other.get(PATH), lifted):
        assert (answer.status_code, answer.json()["code"]) == (403, 40301)
    assert api.client.get(PATH).status_code == 401


def test_the_version_rises_with_every_change_even_when_the_clock_goes_back(api, shop):
    def version():
        return snapshot_of(api.database, (), api.clock(), partial(pseudonym, api.control_key)).version

    block(shop, "link", DESTINATION)
    first = version()
    assert version() == first
    api.clock.advance(hours=-1)
    made = block(shop, "link", "https://shop.example/other").json()
    second = version()
    shop.client.delete(f"{PATH}/{made['block_id']}", headers=shop.headers)
    assert first < second < version()
    api.clock.advance(days=1)
    shop.login()
    block(shop, "link", "https://shop.example/third")
    assert version() >= round(api.clock().timestamp() * 1000)


def test_what_is_published_is_written_for_the_edges_of_this_machine_and_kept_for_others(api, shop, tmp_path):
    settings = load(None, {}, tmp_path)
    keyring = api.keyring
    publisher = Publisher(
        settings, api.database, lambda: keyring, api.clock, pseudonym=partial(pseudonym, api.control_key)
    )
    block(shop, "link", DESTINATION)
    assert publisher.publish()
    assert not publisher.publish()
    there = load_snapshot(snapshot_path(tmp_path), keyring)
    assert decode_snapshot(publisher.data, keyring) == there
    assert there.version == publisher.version
    assert "localhost" in there.link_domains
    snapshot_path(tmp_path).unlink()
    assert publisher.publish()
    snapshot_path(tmp_path).write_bytes(b"an old backup")
    assert publisher.publish()
    assert load_snapshot(snapshot_path(tmp_path), keyring) == there
    keyring = keyring.add(os.urandom(64)).promote(2)
    assert publisher.publish()  # a new minting key authenticates it
    assert load_snapshot(snapshot_path(tmp_path), Keyring(keyring.keys)) == there


def test_a_link_domain_is_published_by_command_and_leaves_by_command_only(api):
    domain = f"links{api.clock().microsecond}.example"
    shop = api.tenant(link_domain=domain)

    def published():
        return snapshot_of(api.database, (), api.clock(), partial(pseudonym, api.control_key)).link_domains

    assert domain not in published()
    publish_link_domain(api.database, api.sources, domain)
    assert published()[domain].sending_domain == shop.domain
    with api.database.writing() as session:
        session.get_one(type(shop.profile), shop.profile.number).deleted_at = api.clock() + timedelta(days=1)
    assert published()[domain].sending_domain == shop.domain
    release_link_domain(api.database, api.sources, domain)
    assert domain not in published()
