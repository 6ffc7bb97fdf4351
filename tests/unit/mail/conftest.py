import pytest

from waypost.config import load


@pytest.fixture
def settings(tmp_path):
    return load(None, {}, tmp_path)
