"""Runs retaining.py, whose event store is its own: mutations of one that other tests emptied may never end."""

import pytest
from tests.integration.pipeline.own_process import run_tests

# Half a minute of work, most of it waiting for syncs: ten times as long where others use the disk.
SECONDS = 900


@pytest.mark.timeout(SECONDS + 10)
def test_retention_in_a_process_of_its_own():
    run_tests("retaining.py", seconds=SECONDS)
