"""`waypost events enrich`, as far as it goes without a core; with one: tests/acceptance/test_where.py."""

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from waypost.cli.main import main
from waypost.pipeline.enrich import StepName
from waypost.pipeline.hold import hold
from waypost.pipeline.job import JobState
from waypost.pipeline.reenrich import ENRICH


@pytest.fixture
def run(tmp_path):
    def run(*arguments):
        return CliRunner().invoke(main, ["events", "enrich", "--data", str(tmp_path), *arguments])

    return run


def test_what_is_asked_for_waits_for_a_core(run, tmp_path):
    result = run("--since", "2026-03-01", "--step", "location")
    assert (result.exit_code, "begins, or goes on, as soon as one does" in result.output) == (0, True)
    job = ENRICH.read(tmp_path)
    assert (job.state, job.steps, job.since) == (
        JobState.WAITING,
        [StepName.LOCATION],
        datetime(2026, 3, 1, tzinfo=UTC),
    )


def test_asking_twice_shows_the_first_and_stop_ends_it(run, tmp_path):
    run("--step", "location")
    again = run("--step", "client")
    assert "already, and not over; --stop ends it." in again.output
    assert ENRICH.read(tmp_path).steps == [StepName.LOCATION]
    assert run("--stop").output == "Nothing more is done.\n"
    assert run("--stop").output == "Nothing was asked for.\n"


def test_a_job_that_failed_is_said_with_its_reason(run, tmp_path, monkeypatch):
    def fail(_):
        job = ENRICH.read(tmp_path)
        ENRICH.update(
            tmp_path, type(job)(asked_at=job.asked_at, steps=job.steps, state=JobState.FAILED, problem="no room")
        )

    monkeypatch.setattr("waypost.cli.job.time.sleep", fail)
    with hold(tmp_path / "spool"):
        result = run()
    assert (result.exit_code, "no room" in result.output) == (1, True)


def test_a_mistyped_directory_is_no_install(tmp_path):
    result = CliRunner().invoke(main, ["events", "enrich", "--data", str(tmp_path / "none")])
    assert (result.exit_code, "there is no data directory" in result.output) == (1, True)
    assert result.output.endswith("first, or name its directory with --data\n")
