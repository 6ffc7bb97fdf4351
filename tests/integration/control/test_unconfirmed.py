"""A send whose session is known takes one transaction, which confirms that what was known is still true."""

import pytest
from sqlalchemy import event, func, select, update

from waypost.control.accounts.service import decide
from waypost.control.keys.service import revoke_api_key
from waypost.db.states import AccountState, ProfileState
from waypost.db.tables import Profile, Send

SEND = "/api/v1/email/send"


def end_session(api, _tenant, refresh_token):
    assert api.client.post("/oauth/revoke", json={"refresh_token": refresh_token}).status_code == 200


def revoke_key(api, tenant, _refresh_token):
    revoke_api_key(api.database, api.sources, tenant.key.api_key.public_id)


def suspend(api, tenant, _refresh_token):
    decide(api.database, api.sources, tenant.account.public_id, AccountState.SUSPENDED, reason="spam", decided_by="cli")


def lose_profile(api, tenant, _refresh_token):
    with api.database.writing() as session:
        session.execute(
            update(Profile).where(Profile.account == tenant.account.number).values(state=ProfileState.PENDING)
        )


def kept(api, tenant):
    with api.database.reading() as session:
        of_account = select(func.count()).select_from(Send).where(Send.account == tenant.account.number)
        return session.scalars(of_account).one()


def keyed(tenant, key, **fields):
    headers = tenant.headers | {"Idempotency-Key": key}
    return tenant.client.post(SEND, json=tenant.message(**fields), headers=headers)


@pytest.mark.parametrize(
    ("change", "code"),
    [(end_session, 40101), (revoke_key, 40101), (suspend, 40901), (lose_profile, 40020)],
)
def test_what_ends_between_two_sends_refuses_the_second(api, change, code):
    tenant = api.tenant()
    refresh_token = tenant.login()["refresh_token"]
    assert [tenant.send().status_code for _ in range(2)] == [202, 202]
    change(api, tenant, refresh_token)

    assert [tenant.send().json()["code"] for _ in range(2)] == [code, code]
    assert keyed(tenant, "new").json()["code"] == code
    assert kept(api, tenant) == 2


@pytest.mark.parametrize(
    ("change", "status"), [(end_session, 401), (revoke_key, 401), (suspend, 202), (lose_profile, 202)]
)
def test_only_a_session_that_goes_on_is_told_what_was_answered_before(api, change, status):
    tenant = api.tenant()
    refresh_token = tenant.login()["refresh_token"]
    first = keyed(tenant, "k")
    assert keyed(tenant, "another").status_code == 202
    change(api, tenant, refresh_token)

    again = keyed(tenant, "k")

    assert again.status_code == status
    assert (again.content == first.content) is (status == 202)
    assert kept(api, tenant) == 2


def test_an_account_that_is_approved_again_sends_again(api):
    tenant = api.tenant()
    assert tenant.send().status_code == 202
    suspend(api, tenant, None)
    assert tenant.send().status_code == 409
    decide(api.database, api.sources, tenant.account.public_id, AccountState.APPROVED, reason=None, decided_by="cli")

    assert [tenant.send().status_code for _ in range(2)] == [202, 202]


def test_a_send_of_a_known_session_takes_one_transaction(api):
    tenant = api.tenant()
    assert tenant.send().status_code == 202
    taken = []

    def count(connection):
        taken.append(connection)

    event.listen(api.database.engine, "begin", count)
    try:
        assert tenant.send().status_code == 202
    finally:
        event.remove(api.database.engine, "begin", count)

    assert len(taken) == 1
