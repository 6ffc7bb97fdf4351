import pytest

from waypost.pipeline.errors import CollectorRunningError
from waypost.pipeline.hold import hold, is_held


def test_whether_a_spool_is_held_is_seen_without_touching_the_lock(tmp_path):
    spool = tmp_path / "spool"
    assert not is_held(spool)
    with hold(spool):
        assert is_held(spool)
    assert not is_held(spool)


def test_a_spool_is_held_by_one_and_free_again_afterwards(tmp_path):
    spool = tmp_path / "not there yet"
    with hold(spool), pytest.raises(CollectorRunningError, match="not there yet"), hold(spool):
        pytest.fail("held twice")
    with hold(spool):
        pass
