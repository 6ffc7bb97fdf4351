"""The first start, later starts, and starts that must not succeed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from waypost.config import load
from waypost.control.install import OPERATOR_EMAIL, open_install
from waypost.control.keys.service import authenticate
from waypost.control.oauth.signing import SigningKeys
from waypost.control.sources import SYSTEM
from waypost.db import CONTROL_KEY_FILE, ControlKeyError
from waypost.db.states import AccountState, Role
from waypost.db.tables import Account, AccountDecision


@pytest.fixture
def start():
    """Start an install; it is closed when the test ends."""
    started = []

    def open_and_note(settings):
        started.append(open_install(settings))
        return started[-1]

    yield open_and_note
    for install in started:
        install.database.close()


@pytest.fixture
def settings(new_database, tmp_path):
    return load(None, {"WAYPOST_DB__URL": new_database}, tmp_path)


def test_the_first_start_makes_an_approved_operator_and_gives_its_credential_once(start, settings):
    first, second = start(settings), start(settings)

    assert second.operator is None
    created = first.operator
    assert authenticate(second.database, SYSTEM, created.api_key.key, created.secret).role is Role.IAC
    with second.database.reading() as session:
        [account] = session.scalars(select(Account))
        [decision] = session.scalars(select(AccountDecision))
    assert (account.email, account.is_operator, account.state) == (OPERATOR_EMAIL, True, AccountState.APPROVED)
    assert (decision.account, decision.decided_by) == (account.number, "first start")


def test_first_starts_at_the_same_instant_make_one_operator(start, settings):
    barrier = threading.Barrier(4)

    def start_with_the_others(_):
        barrier.wait()
        return start(settings).operator

    with ThreadPoolExecutor(4) as pool:
        operators = list(pool.map(start_with_the_others, range(4)))

    assert sum(operator is not None for operator in operators) == 1


def test_the_secret_is_nowhere_in_the_data_directory(start, tmp_path):
    created = start(load(None, {}, tmp_path)).operator

    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert created.api_key.key.encode() in kept
    assert created.secret.encode() not in kept
    assert created.secret not in repr(created)


def test_a_lost_control_key_is_not_replaced_beside_what_it_sealed(start, settings):
    install = start(settings)
    SigningKeys(install.database, install.control_key, SYSTEM).prepare()
    (settings.data / CONTROL_KEY_FILE).unlink()

    with pytest.raises(ControlKeyError, match="restore"):
        start(settings)
    assert not (settings.data / CONTROL_KEY_FILE).exists()


def test_another_installs_control_key_is_noticed_at_start(start, settings, tmp_path_factory):
    install = start(settings)
    SigningKeys(install.database, install.control_key, SYSTEM).prepare()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    other = start(load(None, {}, elsewhere))

    with pytest.raises(ControlKeyError, match="not the key that sealed"):
        SigningKeys(install.database, other.control_key, SYSTEM).prepare()


def test_a_first_start_that_dies_halfway_leaves_nothing_so_that_the_next_one_shows_the_credential(
    start, settings, monkeypatch
):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("waypost.control.install.new_api_key", die)
        with pytest.raises(KeyboardInterrupt):
            start(settings)

    assert start(settings).operator is not None
