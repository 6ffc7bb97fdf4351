"""`waypost keys` as an operator sees it."""

import re

import pytest
from click.testing import CliRunner

from waypost.cli.main import main
from waypost.keyfile import keyring_path, load_keyring
from waypost.links.keyring import Keyring


@pytest.fixture
def keys(tmp_path):
    return lambda *arguments: CliRunner().invoke(
        main, ["keys", *arguments], env={"WAYPOST_DATA": str(tmp_path / "data")}
    )


def test_create_add_list_and_export_tell_the_story_of_a_keyring(keys, tmp_path):
    assert "with key 1" in keys("create").output
    assert keys("add").output.startswith("Added key 2 (opening). Keep a new copy")
    assert keys("export", str(tmp_path / "copy.json")).output.startswith("Exported 2 key(s)")
    assert keys("add", "--mint").output.startswith("Added key 3 (minting). New links are sealed with it from")
    listed = [line.split() for line in keys("list").output.splitlines()]
    assert [(line[0], line[1], line[3]) for line in listed] == [
        ("key", "state", "exported"),
        ("1", "opening", "yes"),
        ("2", "opening", "yes"),
        ("3", "minting", "no"),
    ]
    assert all(re.fullmatch("[0-9a-f]{8}", line[2]) for line in listed[1:])


def test_an_export_to_standard_output_is_the_keyring_alone_and_counts(keys, tmp_path):
    keys("create")
    result = keys("export", "-")
    assert Keyring.parse(result.stdout) == load_keyring(keyring_path(tmp_path / "data"))
    assert keys("list").output.splitlines()[1].endswith("yes")


def test_data_may_be_named_on_the_command_line(keys, tmp_path):
    assert keys("create", "--data", str(tmp_path / "other")).exit_code == 0
    assert keyring_path(tmp_path / "other").exists()


def test_a_keyring_is_not_created_beside_data_unless_insisted_on(keys, tmp_path):
    (tmp_path / "data" / "spool").mkdir(parents=True)
    refused = keys("create")
    assert (refused.exit_code, keyring_path(tmp_path / "data").exists()) == (1, False)
    assert "Put your copy back" in refused.output
    assert keys("create", "--beside-existing-data").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list"], "There is no keyring at"),
        (["add"], "There is no keyring at"),
        (["export", "copy.json"], "There is no keyring at"),
        (["export", "-"], "There is no keyring at"),
    ],
)
def test_a_missing_keyring_is_one_plain_sentence(keys, arguments, message):
    result = keys(*arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output


def test_creating_twice_fails_plainly(keys):
    keys("create")
    result = keys("create")
    assert (result.exit_code, "`waypost keys add` adds a key" in result.output) == (1, True)


def test_an_export_into_no_directory_fails_plainly(keys, tmp_path):
    keys("create")
    result = keys("export", str(tmp_path / "none" / "copy.json"))
    assert (result.exit_code, "copy.json: No such file or directory" in result.output) == (1, True)
