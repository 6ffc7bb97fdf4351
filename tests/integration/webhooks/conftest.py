"""A real name server, receivers that do anything, and webhooks over a real control database."""

import pytest
from tests.knot import running
from tests.ports import free_ports


@pytest.fixture(scope="session")
def knot():
    (port,) = free_ports(1)
    with running("127.0.0.1", port) as started:
        yield started
