"""What a test says when a program it needs is not there."""

import subprocess

import pytest
from tests import debian


@pytest.fixture
def apt(monkeypatch):
    """Nothing is really installed: what would have been asked of apt-get."""
    asked = []

    def run(command, **_):
        asked.append(command)
        return subprocess.CompletedProcess(command, 100, "", "E: no network\n")

    monkeypatch.setattr(debian.subprocess, "run", run)
    debian._update.cache_clear()
    yield asked
    debian._update.cache_clear()


def test_a_program_that_is_there_is_found_without_asking_apt(apt):
    assert debian.require("dash", binary="sh").name == "sh"
    assert apt == []


def test_an_ordinary_user_is_told_what_to_install(apt, monkeypatch):
    monkeypatch.setattr(debian.os, "geteuid", lambda: 1000)

    with pytest.raises(pytest.fail.Exception, match="needs no-such-program: sudo apt-get install no-such-package"):
        debian.require("no-such-package", binary="no-such-program")
    assert apt == []


def test_root_installs_it_and_hears_why_that_failed(apt, monkeypatch):
    monkeypatch.setattr(debian.os, "geteuid", lambda: 0)

    with pytest.raises(pytest.fail.Exception, match="apt-get update failed:\nE: no network"):
        debian.require("no-such-package", binary="no-such-program")
    assert apt == [["apt-get", "-qq", "update"]]
