"""Runs erasing.py, whose event stores are its own."""

from tests.integration.pipeline.own_process import run_tests


def test_erasures_in_a_process_of_their_own():
    run_tests("erasing.py", seconds=300)
