"""What several packages' tests share."""

import itertools

import hypothesis
import pytest

from waypost.store import EventStore

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the counted tests in full: a million altered tokens")


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """The event store of this test run: chDB allows one per process, so tests keep apart by `account`."""
    opened = EventStore.open("", tmp_path_factory.mktemp("store"))
    yield opened
    opened.close()


_accounts = itertools.count(1)


@pytest.fixture
def account():
    """An account number no other test uses."""
    return next(_accounts)
