"""DKIM keys: every profile has its own two, sealed, and the records that publish them."""

import base64
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from sqlalchemy import delete, select
from tests.rsa_key import rsa_private_key

from waypost.config import load
from waypost.control.accounts.schema import NewAccount
from waypost.control.accounts.service import create_account
from waypost.control.install import open_install
from waypost.control.profiles.dkim import dkim_keys, dkim_record
from waypost.control.profiles.schema import NewProfile
from waypost.control.profiles.service import create_profile
from waypost.control.sources import SYSTEM, Sources
from waypost.db import CONTROL_KEY_FILE, ControlKeyError
from waypost.db.dkim_keys import open_private_key
from waypost.db.tables import DkimKey, Profile, SigningKey

SOURCES = Sources(SYSTEM.clock, os.urandom, rsa_private_key)


@pytest.fixture
def start(new_database, tmp_path):
    """Start an install over the one database; it is closed when the test ends."""
    started = []

    def open_and_note():
        started.append(open_install(load(None, {"WAYPOST_DB__URL": new_database}, tmp_path), SOURCES))
        return started[-1]

    yield open_and_note
    for install in started:
        install.database.close()


def a_profile(install, name="p"):
    account = create_account(install.database, SOURCES, NewAccount(name="Shop", email=f"{name}@shop.example"))
    new = NewProfile(profile_name=name, sending_domain="shop.example", link_domain="localhost")
    return create_profile(install.database, SOURCES, account, new, ["localhost"], control_key=install.control_key)


def keys_of(install, profile):
    with install.database.reading() as session:
        return dkim_keys(session, profile.number)


def private(install, key):
    return load_der_private_key(open_private_key(install.control_key, key), None)


def test_a_new_profile_has_an_rsa_and_an_ed25519_key_that_match_their_records(start):
    install = start()

    rsa, ed25519 = keys_of(install, a_profile(install))

    assert (rsa.algorithm, ed25519.algorithm) == ("rsa", "ed25519")
    signer = private(install, rsa)
    assert isinstance(signer, RSAPrivateKey)
    assert signer.key_size == 2048
    load_der_public_key(base64.b64decode(rsa.public_key)).verify(
        signer.sign(b"m", PKCS1v15(), SHA256()), b"m", PKCS1v15(), SHA256()
    )
    signer = private(install, ed25519)
    assert isinstance(signer, Ed25519PrivateKey)
    Ed25519PublicKey.from_public_bytes(base64.b64decode(ed25519.public_key)).verify(signer.sign(b"m"), b"m")


def test_records_are_named_by_the_selector_and_hold_the_public_key(start):
    install = start()

    rsa, ed25519 = keys_of(install, a_profile(install))

    for key in (rsa, ed25519):
        record = dkim_record("shop.example", key)
        assert record.name == f"{key.selector}._domainkey.shop.example"
        assert record.value == f"v=DKIM1; k={key.algorithm}; p={key.public_key}"
        assert record.algorithm is key.algorithm
    assert len(base64.b64decode(ed25519.public_key)) == 32


def test_selectors_are_dns_labels_in_one_letter_case_and_never_the_same(start):
    install = start()

    selectors = [key.selector for name in "ab" for key in keys_of(install, a_profile(install, name))]

    assert len(set(selectors)) == 4
    assert all(len(selector) == 27 and selector.isalnum() and selector == selector.lower() for selector in selectors)


def test_a_private_key_opens_in_no_other_row_and_under_no_other_control_key(start):
    install = start()
    rsa, ed25519 = keys_of(install, a_profile(install))

    rsa.sealed_private_key = ed25519.sealed_private_key

    with pytest.raises(ControlKeyError, match="not the key that sealed"):
        private(install, rsa)


def test_no_private_key_shows_in_the_database_or_when_a_row_is_printed(start, tmp_path):
    install = start()
    keys = keys_of(install, a_profile(install))

    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for key in keys:
        der = open_private_key(install.control_key, key)
        assert der not in stored
        assert der[-32:] not in stored + key.sealed_private_key
        assert "sealed_private_key" not in repr(key)


def test_a_start_gives_keys_to_the_profiles_of_a_release_that_knew_none_and_leaves_others_alone(start):
    install = start()
    old, new, deleted = (a_profile(install, name) for name in ("old", "new", "deleted"))
    with install.database.writing() as session:
        session.execute(delete(DkimKey).where(DkimKey.profile.in_([old.number, deleted.number])))
        session.get_one(Profile, deleted.number).deleted_at = SYSTEM.now()
    before = [key.selector for key in keys_of(install, new)]

    start()

    assert [key.algorithm for key in keys_of(install, old)] == ["rsa", "ed25519"]
    assert [key.selector for key in keys_of(install, new)] == before
    assert keys_of(install, deleted) == []


def test_a_lost_control_key_is_not_replaced_beside_dkim_keys(start, tmp_path):
    install = start()
    a_profile(install)
    (tmp_path / CONTROL_KEY_FILE).unlink()
    with install.database.reading() as session:
        assert session.scalars(select(SigningKey)).all() == []

    with pytest.raises(ControlKeyError, match="restore"):
        start()
