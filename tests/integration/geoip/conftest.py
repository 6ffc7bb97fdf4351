import pytest
from tests.integration.geoip.mirror import Mirror


@pytest.fixture
def mirror():
    mirror = Mirror()
    yield mirror
    mirror.close()
