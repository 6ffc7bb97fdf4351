import pytest

from waypost.events.client_parser import ClientParser


@pytest.fixture(scope="session")
def parser():
    return ClientParser()
