"""Two real name servers on this machine."""

import contextlib

import pytest
from tests.knot import running
from tests.ports import free_ports

# Each takes the same port, as name servers do, and so has an address of its own.
FIRST, SECOND = "127.0.0.1", "127.0.0.2"


@pytest.fixture(scope="session")
def knots():
    (port,) = free_ports(1)
    with contextlib.ExitStack() as started:
        yield [started.enter_context(running(address, port)) for address in (FIRST, SECOND)]


@pytest.fixture
def knot(knots):
    """The first one, without zones."""
    knots[0].serve({})
    return knots[0]
