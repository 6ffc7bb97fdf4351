"""The first start, later starts, and starts that must not succeed."""

import contextlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text
from tests.acceptance.operator import eventually

from waypost.config import load
from waypost.control.install import OPERATOR_EMAIL, join_install, open_install
from waypost.control.keys.service import authenticate
from waypost.control.oauth.signing import SigningKeys
from waypost.control.sources import SYSTEM
from waypost.db import CONTROL_KEY_FILE, ControlKeyError, UnknownRevisionError
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


def test_a_worker_waits_until_a_core_has_prepared_the_install_and_opens_the_same_one(start, settings):
    with ThreadPoolExecutor(1) as pool:
        joining = pool.submit(join_install, settings)
        with pytest.raises(TimeoutError):
            joining.result(timeout=0.5)
        core = start(settings)
        database, control_key = joining.result(timeout=60)
    with contextlib.closing(database), database.reading() as session:
        assert [account.email for account in session.scalars(select(Account))] == [OPERATOR_EMAIL]
    assert control_key.open(core.control_key.seal(b"secret", "purpose"), "purpose") == b"secret"


def test_a_worker_waits_for_a_database_of_the_release_before_to_be_prepared(start, settings, caplog):
    core = start(settings)
    with core.database.writing() as session:
        head = session.scalar(text("SELECT version_num FROM alembic_version"))
        before = session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": "0001"})
        assert before.rowcount == 1
    caplog.set_level(logging.INFO)
    with ThreadPoolExecutor(1) as pool:
        joining = pool.submit(join_install, settings)
        eventually(lambda: "waits for the core" in caplog.text)
        with pytest.raises(TimeoutError):
            joining.result(timeout=0.5)
        with core.database.writing() as session:
            session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": head})
        joining.result(timeout=60)[0].close()
    assert [each.getMessage() for each in caplog.records if "waits" in each.getMessage()] == [
        "waits for the core: the control database is not that of this release"
    ]


def test_a_worker_does_not_touch_the_database_of_a_newer_release(start, settings):
    core = start(settings)
    with core.database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'newer'"))
    with pytest.raises(UnknownRevisionError):
        join_install(settings)
