import pytest

from waypost.spool import page


@pytest.fixture(autouse=True)
def memory(monkeypatch, tmp_path_factory):
    """Where pages of counters are that outlive a process: in a directory of this test, not in the machine's."""
    place = tmp_path_factory.mktemp("memory")
    monkeypatch.setattr(page, "MEMORY", place)
    return place
