"""What docs/domains.md says of problems, states and settings."""

import re
from pathlib import Path

import pytest

from waypost.config.settings import DnsSettings
from waypost.control.verification.problems import Problem
from waypost.db.states import ProfileState

DOCUMENT = (Path(__file__).parents[4] / "docs" / "domains.md").read_text()


def first_cells(heading):
    section = DOCUMENT.split(heading)[1]
    table = next(part for part in section.split("\n\n") if part.startswith("|"))
    return [code for line in table.splitlines()[2:] for code in re.findall(r"`(\w+)`", line.split("|")[1])]


def test_every_sentence_is_explained_once():
    assert sorted(first_cells("## What the sentences mean")) == sorted(Problem)


def test_every_state_is_explained():
    assert sorted(first_cells("## What happens then")) == sorted(ProfileState)


@pytest.mark.parametrize("name", DnsSettings.__struct_fields__)
def test_every_setting_is_spoken_of(name):
    assert f"dns.{name}" in DOCUMENT
