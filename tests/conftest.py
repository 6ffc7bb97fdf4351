"""What several packages' tests share."""

import itertools

import hypothesis
import pytest

from waypost.store import EventStore, reading

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the counted tests in full: a million altered tokens")


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """The event store of this test run: chDB allows one per process, so tests keep apart by `account`."""
    with pytest.MonkeyPatch.context() as patience:
        # While other tests have the processors, even a look at clicks takes longer than readers of lists should wait.
        patience.setattr(reading, "GLANCE_SECONDS", 60)
        opened = EventStore.open("", tmp_path_factory.mktemp("store"))
        yield opened
        opened.close()


# Beyond the numbers that control databases of tests give to theirs, whose events are in the same store.
_accounts = itertools.count(1_000_001)


@pytest.fixture
def account():
    """An account number no other test uses."""
    return next(_accounts)
