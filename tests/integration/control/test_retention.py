"""Content and link reports go after their days; sends stay, and so does what is still to be delivered."""

import asyncio
import os
from collections import deque
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update
from tests.integration.control.conftest import START

from waypost.control.housekeeping import keep_house
from waypost.control.sends import retention
from waypost.control.sends.retention import delete_old_contents
from waypost.control.sources import Sources
from waypost.db.states import DeliveryState, Role
from waypost.db.tables import Content, ContentAttachment, Delivery, Report, Send

SEND = "/api/v1/email/send"
DAYS = 45
FILE = {"name": "a", "content_type": "text/plain", "content": "YQ=="}


def clean(api, days):
    """What is done so many days after all was sent."""
    deque(delete_old_contents(api.database, START + timedelta(days=days), DAYS), maxlen=0)


def finished(api, *send_ids, state=DeliveryState.DELIVERED):
    with api.database.writing() as session:
        session.execute(update(Delivery).where(Delivery.send_id.in_(map(UUID, send_ids))).values(state=state))


def sent(api, tenant, **fields):
    """A send that was delivered; its id."""
    send_id = tenant.send(content_text="text", click_tracking=True, **fields).json()["send_id"]
    finished(api, send_id)
    return send_id


def is_kept(tenant, send_id):
    answer = tenant.get(f"{SEND}/{send_id}/content/html")
    assert answer.status_code == 200 or answer.json()["code"] == 40403
    return answer.status_code == 200


def content_of(api, send_id):
    with api.database.reading() as session:
        return session.get_one(Send, UUID(send_id)).content_id


@pytest.mark.parametrize(("days", "kept"), [(44.9, True), (45, False), (400, False)])
def test_content_is_kept_for_45_days(api, days, kept):
    tenant = api.tenant()
    send_id = sent(api, tenant)

    clean(api, days)

    assert is_kept(tenant, send_id) is kept


def test_a_send_without_its_content_says_so(api):
    tenant = api.tenant()
    send_id = sent(api, tenant, attachments=[FILE], tags=["t"])
    before, content_id = tenant.get(f"{SEND}/{send_id}").json(), content_of(api, send_id)

    clean(api, DAYS)

    after = tenant.get(f"{SEND}/{send_id}").json()
    del before["link_report"]
    assert after == before | {"content_expired": True}
    assert [each for each in tenant.get(SEND).json() if each["send_id"] == send_id] == [after]
    for part in ("html", "text"):
        answer = tenant.get(f"{SEND}/{send_id}/content/{part}")
        assert (answer.status_code, answer.json()["code"]) == (404, 40403)
        assert "no longer kept" in answer.json()["message"]
    assert tenant.get(f"{SEND}/{send_id}/events").status_code == 200
    with api.database.reading() as session:
        assert session.get(Content, content_id) is None
        assert session.get(ContentAttachment, (content_id, 0)) is None


def test_an_account_may_have_days_of_its_own(api):
    operator = api.operator()
    short, long, as_all = api.tenant(), api.tenant(), api.tenant()
    ids = {tenant.domain: sent(api, tenant) for tenant in (short, long, as_all)}

    def keep(tenant, days):
        path = f"/api/v1/admin/account/{tenant.account.public_id}/retention"
        answer = operator.put(path, {"content_days": days})
        assert (answer.status_code, answer.json()["content_days"]) == (200, days)

    def kept():
        return [is_kept(tenant, ids[tenant.domain]) for tenant in (short, long, as_all)]

    keep(short, 7)
    keep(long, 100)
    clean(api, 7)
    assert kept() == [False, True, True]
    clean(api, DAYS)
    assert kept() == [False, True, False]
    keep(long, None)
    clean(api, DAYS)
    assert kept() == [False, False, False]


@pytest.mark.parametrize("days", [0, -1, 3651, "7", 7.5])
def test_days_that_make_no_sense_are_refused(api, days):
    tenant, operator = api.tenant(), api.operator()

    answer = operator.put(f"/api/v1/admin/account/{tenant.account.public_id}/retention", {"content_days": days})

    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert "content_days" in answer.json()["message"]


READERS = {"event_days": 400, "address_days": 30, "user_agent_days": 0}


def test_what_is_stored_of_readers_is_kept_as_the_account_or_an_operator_says(api):
    """What is not said stays; null is as the install has it."""
    tenant, other, operator = api.tenant(), api.tenant(), api.operator()
    admin = f"/api/v1/admin/account/{tenant.account.public_id}/retention"

    def days(answer):
        assert answer.status_code == 200, answer.text
        return {name: answer.json()[name] for name in READERS}

    manager = api.as_role(tenant, Role.IAC)
    assert days(manager.get("/api/v1/account")) == dict.fromkeys(READERS)
    assert days(manager.put("/api/v1/account/retention", READERS)) == READERS
    assert days(operator.put(admin, {"content_days": 7})) == READERS
    assert days(operator.put(admin, {"address_days": 10})) == READERS | {"address_days": 10}
    assert operator.put(admin, {}).json()["content_days"] == 7
    assert days(manager.put("/api/v1/account/retention", {"event_days": None})) == {
        "event_days": None,
        "address_days": 10,
        "user_agent_days": 0,
    }
    assert days(api.as_role(other, Role.IAC).get("/api/v1/account")) == dict.fromkeys(READERS)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("days", [-1, 3651, "7", 7.5])
def test_days_of_readers_that_make_no_sense_are_refused(api, name, days):
    tenant, operator = api.tenant(), api.operator()
    answer = operator.put(f"/api/v1/admin/account/{tenant.account.public_id}/retention", {name: days})
    assert (answer.status_code, answer.json()["code"]) == (400, 40002)
    assert name in answer.json()["message"]


@pytest.mark.parametrize("state", [DeliveryState.QUEUED, DeliveryState.SENDING])
def test_what_is_still_to_be_delivered_keeps_its_content(api, state):
    tenant = api.tenant()
    send_id = sent(api, tenant)
    finished(api, send_id, state=state)

    clean(api, 1000)
    assert is_kept(tenant, send_id)

    finished(api, send_id, state=DeliveryState.FAILED)
    clean(api, 1000)
    assert not is_kept(tenant, send_id)


def test_a_batch_keeps_its_content_until_all_have_it(api):
    tenant = api.tenant()
    message = tenant.message(recipients=[{"recipient_email_address": f"r{n}@example.com"} for n in range(3)])
    del message["recipient_email_address"]
    ids = [each["send_id"] for each in tenant.post(f"{SEND}/batch", message).json()["recipients"]]

    finished(api, *ids[1:])
    clean(api, 1000)
    assert [is_kept(tenant, each) for each in ids] == [True] * 3

    finished(api, ids[0])
    clean(api, 1000)
    assert [is_kept(tenant, each) for each in ids] == [False] * 3


def test_it_is_done_a_little_at_a_time_and_others_send_meanwhile(api, monkeypatch):
    monkeypatch.setattr(retention, "CONTENTS_AT_ONCE", 2)
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 2)
    tenant = api.tenant()
    waiting = tenant.send().json()["send_id"]
    ids = [sent(api, tenant) for _ in range(5)]

    changes = delete_old_contents(api.database, START + timedelta(days=DAYS), DAYS)
    for changed in changes:
        assert changed <= 2
        assert tenant.send().status_code == 202

    assert not any(is_kept(tenant, each) for each in ids)
    assert is_kept(tenant, waiting)


def test_what_the_release_before_wrote_goes_as_well(api):
    """It said of a content not whose it is, and kept the report beside the send."""
    tenant = api.tenant()
    send_id = sent(api, tenant)
    with api.database.writing() as session:
        session.execute(
            update(Content).where(Content.content_id == content_of(api, send_id)).values(account=None, report=None)
        )
        session.add(Report(send_id=UUID(send_id), report={"tracked": 0, "skipped": 0, "links": []}, created_at=START))

    clean(api, 44)
    assert is_kept(tenant, send_id)
    assert "link_report" in tenant.get(f"{SEND}/{send_id}").json()

    clean(api, DAYS)
    assert not is_kept(tenant, send_id)
    assert "link_report" not in tenant.get(f"{SEND}/{send_id}").json()


def test_housekeeping_does_it(api):
    tenant = api.tenant()
    send_id = sent(api, tenant)

    async def until_gone():
        stop = asyncio.Event()
        sources = Sources(lambda: START + timedelta(days=8), os.urandom)
        house = asyncio.create_task(keep_house(api.database, sources, 7, stop))
        async with asyncio.timeout(60):
            while True:
                if await asyncio.to_thread(content_of, api, send_id) is None:
                    break
                await asyncio.sleep(0.01)
        stop.set()
        await house

    asyncio.run(until_gone())

    assert not is_kept(tenant, send_id)
