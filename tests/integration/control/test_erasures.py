"""Asking for an erasure, and who may see how far it is."""

from sqlalchemy import select

from waypost.db.states import Role
from waypost.db.tables import Erasure

PATH = "/api/v1/erasure"
ASKED = {"recipient_email_address": "Jane.Roe@inbox.example"}


def test_an_erasure_is_asked_for_and_looked_at(api):
    tenant = api.tenant()
    answer = tenant.post(PATH, ASKED)
    assert answer.status_code == 202, answer.text
    asked = answer.json()
    assert (asked["state"], asked["all_accounts"], asked["counts"]) == ("requested", False, {})
    assert (asked["erased_at_utc"], asked["purged_at_utc"]) == (None, None)
    assert tenant.get(f"{PATH}/{asked['erasure_id']}").json() == asked
    assert "roe" not in answer.text.lower()


def test_the_address_is_not_written_down_in_clear(api):
    api.tenant().post(PATH, ASKED)
    with api.database.reading() as session:
        erasure = session.scalars(select(Erasure).order_by(Erasure.number.desc())).first()
    assert b"roe" not in erasure.sealed_address.lower()


def test_another_accounts_erasure_is_not_found(api):
    asked = api.tenant().post(PATH, ASKED).json()
    assert api.tenant().get(f"{PATH}/{asked['erasure_id']}").status_code == 404
    assert api.operator().get(f"{PATH}/{asked['erasure_id']}").status_code == 200


def test_only_operators_erase_in_all_accounts(api):
    everywhere = ASKED | {"all_accounts": True}
    assert api.tenant().post(PATH, everywhere).status_code == 403
    answer = api.operator(Role.IAC).post(PATH, everywhere)
    assert (answer.status_code, answer.json()["all_accounts"]) == (202, True)
