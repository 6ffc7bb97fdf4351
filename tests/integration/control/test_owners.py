"""Owners of accounts are told by mail that a webhook endpoint of theirs was disabled."""

import asyncio
import logging

import pytest
from tests.integration.control.conftest import START

from waypost.control.errors import NoActiveProfileError
from waypost.control.profiles.schema import NewProfile
from waypost.control.webhooks.owners import run, tell_owners
from waypost.db.states import EndpointState, Role
from waypost.db.tables import WebhookEndpoint
from waypost.webhooks.queue import GIVEN_UP, GONE

FROM = "notices@operator.example"


@pytest.fixture
def operator(api):
    """With a profile that sends for `FROM`; and nobody left to be told by tests before."""
    operator = api.operator(Role.STANDARD)
    new = NewProfile(profile_name="notices", sending_domain="operator.example", link_domain="localhost")
    api.create_profile(operator.account, new)
    tell_owners(api.database, api.sources, FROM)
    return operator


def endpoint(api, owner, number=0):
    """A new one, made by its owner."""
    manager = api.as_role(owner, Role.IAC)
    return manager.post("/api/v1/webhook", {"url": f"https://hooks{number}.{owner.domain}/"}).json()["endpoint_id"]


def disable(api, owner, number=0, reason=GONE):
    """Make an endpoint, and disable it as the dispatcher does."""
    endpoint_id = endpoint(api, owner, number)
    with api.database.writing() as session:
        for row in session.query(WebhookEndpoint).filter_by(account=owner.account.number):
            if str(row.public_id) == endpoint_id:
                row.state, row.disabled_reason, row.disabled_at = EndpointState.DISABLED, reason, api.clock()
    return endpoint_id


def told(operator, owner):
    """The mail to an owner, newest first."""
    operator.login()
    sends = operator.get("/api/v1/email/send").json()
    return [each for each in sends if each["recipient_email_address"] == owner.account.email]


def test_an_owner_gets_one_mail_that_says_which_endpoints_are_disabled_and_why(api, operator):
    owner, other = api.tenant(), api.tenant()
    gone, given_up = disable(api, owner, 1), disable(api, owner, 2, GIVEN_UP)
    endpoint(api, other)

    assert tell_owners(api.database, api.sources, FROM) == 1
    assert tell_owners(api.database, api.sources, FROM) == 0

    [mail] = told(operator, owner)
    assert (mail["from_email_address"], mail["state"], mail["tags"]) == (FROM, "accepted", ["webhook-disabled"])
    text = operator.get(f"/api/v1/email/send/{mail['send_id']}/content/text").text
    for said in (gone, GONE, given_up, GIVEN_UP, f"https://hooks1.{owner.domain}/", "2026-03-29 01:30 UTC", "PATCH"):
        assert said in text
    assert told(operator, other) == []
    seen = api.as_role(owner, Role.IAC).get(f"/api/v1/webhook/{gone}").json()
    assert seen["owner_told_at_utc"] == int(START.timestamp())


@pytest.mark.parametrize(("days", "mails"), [(6, 1), (8, 0)])
def test_what_was_disabled_long_ago_is_no_news(api, operator, days, mails):
    owner = api.tenant()
    disable(api, owner)
    api.clock.advance(days=days)

    tell_owners(api.database, api.sources, FROM)

    assert len(told(operator, owner)) == mails


@pytest.mark.usefixtures("operator")
def test_an_owner_who_disabled_it_or_enabled_it_again_is_told_nothing(api):
    owner = api.tenant()
    manager = api.as_role(owner, Role.IAC)
    by_hand, again = endpoint(api, owner), disable(api, owner, 1)
    assert manager.client.patch(
        f"/api/v1/webhook/{by_hand}", json={"state": "disabled"}, headers=manager.headers
    ).is_success
    assert manager.client.patch(
        f"/api/v1/webhook/{again}", json={"state": "enabled"}, headers=manager.headers
    ).is_success

    assert tell_owners(api.database, api.sources, FROM) == 0


def test_an_endpoint_that_fails_over_and_over_is_told_of_once_a_day(api, operator):
    owner = api.tenant()
    disable(api, owner)
    tell_owners(api.database, api.sources, FROM)

    def disabled_again():
        with api.database.writing() as session:
            [row] = session.query(WebhookEndpoint).filter_by(account=owner.account.number)
            row.disabled_at = api.clock()
        return tell_owners(api.database, api.sources, FROM)

    api.clock.advance(hours=23)
    assert disabled_again() == 0
    api.clock.advance(hours=2)
    assert tell_owners(api.database, api.sources, FROM) == 1
    assert len(told(operator, owner)) == 2


def test_the_operators_own_account_is_not_written_to(api, operator):
    disable(api, api.as_role(operator, Role.IAC))

    assert tell_owners(api.database, api.sources, FROM) == 0


@pytest.mark.usefixtures("operator")
def test_without_a_profile_to_send_with_nobody_is_told_and_the_log_says_so_once(api, caplog):
    owner = api.tenant()
    disable(api, owner)
    with pytest.raises(NoActiveProfileError):
        tell_owners(api.database, api.sources, "notices@elsewhere.example")

    async def started():
        stop = asyncio.Event()
        telling = asyncio.create_task(run(api.database, api.sources, "notices@elsewhere.example", stop))
        async with asyncio.timeout(60):
            while not caplog.records:
                assert not telling.done()
                await asyncio.sleep(0.01)
        stop.set()
        await telling

    with caplog.at_level(logging.ERROR):
        asyncio.run(started())
    assert ["control.notices_from" in record.message for record in caplog.records] == [True]
    assert tell_owners(api.database, api.sources, FROM) == 1


def test_an_install_that_has_no_address_for_it_tells_nobody(api, operator):
    owner = api.tenant()
    disable(api, owner)

    asyncio.run(asyncio.wait_for(run(api.database, api.sources, "", asyncio.Event()), 60))

    assert told(operator, owner) == []
