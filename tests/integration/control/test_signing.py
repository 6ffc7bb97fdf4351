"""The keys that sign access tokens rotate, and what they signed stays good."""

import os
from datetime import timedelta

import jwt
import pytest
from sqlalchemy import select
from tests.integration.control.conftest import START, Clock

from waypost.control.oauth.signing import SigningKeys
from waypost.control.sources import Sources
from waypost.db import ControlKey
from waypost.db.tables import SigningKey

CONTROL_KEY = ControlKey(b"k" * 32)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(database, clock):
    return lambda: SigningKeys(database, CONTROL_KEY, Sources(clock, os.urandom))


def claims(**more):
    return {"sid": "s", "exp": int((START + timedelta(days=400)).timestamp()), **more}


def key_id(token):
    return jwt.get_unverified_header(token)["kid"]


def test_a_token_of_one_process_is_good_in_another(keys):
    ours, theirs = keys(), keys()
    token = ours.sign(claims())

    assert theirs.verify(token)["sid"] == "s"
    assert key_id(theirs.sign(claims())) == key_id(token)


def test_the_key_changes_every_thirty_days_and_old_tokens_stay_good(keys, clock, database):
    ours, later = keys(), keys()
    first = ours.sign(claims())
    clock.advance(days=29, hours=23)
    assert key_id(ours.sign(claims())) == key_id(first)
    clock.advance(hours=1)
    second = ours.sign(claims())

    assert key_id(second) != key_id(first)
    assert [key.verify(token) is not None for key in (ours, later) for token in (first, second)] == [True] * 4
    assert key_id(later.sign(claims())) == key_id(second)
    with database.reading() as session:
        retired = {key.key_id: key.retired_at for key in session.scalars(select(SigningKey))}
    assert retired == {key_id(first): clock.now, key_id(second): None}


def test_the_secrets_lie_sealed(keys, database):
    token = keys().sign(claims())

    with database.reading() as session:
        [row] = session.scalars(select(SigningKey))
    secret = CONTROL_KEY.open(row.sealed_secret, f"signing-key {row.key_id}")
    assert secret not in row.sealed_secret
    assert jwt.decode(token, secret, algorithms=["HS256"], options={"verify_exp": False})["sid"] == "s"


@pytest.mark.parametrize("missing", ["exp", "sid", "iss"])
def test_a_token_without_what_we_write_is_refused(keys, database, missing):
    ours = keys()
    ours.prepare()
    with database.reading() as session:
        [row] = session.scalars(select(SigningKey))
    secret = CONTROL_KEY.open(row.sealed_secret, f"signing-key {row.key_id}")
    whole = claims(iss="waypost")

    def signed(payload):
        return jwt.encode(payload, secret, algorithm="HS256", headers={"kid": row.key_id})

    assert ours.verify(signed(whole)) is not None
    assert ours.verify(signed({name: value for name, value in whole.items() if name != missing})) is None
