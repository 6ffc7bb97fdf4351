"""Start-up: a new keyring only where no link can have been sent from."""

from datetime import UTC, datetime

import pytest

from waypost.keyfile import (
    KeyringMissing,
    KeyringUnreadable,
    create_keyring,
    export_keyring,
    keyring_path,
    load_keyring,
    start_keyring,
)
from waypost.links.keyring import Keyring

NOW = datetime(2024, 6, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize("entries", [None, [], ["lost+found"], [".keyring.json.k2j4"]])
def test_an_empty_data_directory_gets_a_new_keyring(tmp_path, entries):
    data = tmp_path / "data"
    for entry in entries or []:
        (data / entry).mkdir(parents=True)
    started = start_keyring(data)
    assert started.created
    assert started.unexported == (1,)
    assert load_keyring(keyring_path(data)) == started.keyring


def test_a_later_start_takes_the_keyring_that_is_there(tmp_path):
    first = start_keyring(tmp_path)
    (tmp_path / "control.sqlite3").touch()
    again = start_keyring(tmp_path)
    assert again.keyring == first.keyring
    assert not again.created


def test_the_reminder_ends_with_an_export(tmp_path):
    data = tmp_path / "data"
    start_keyring(data)
    export_keyring(keyring_path(data), tmp_path / "copy.json", now=NOW)
    assert start_keyring(data).unexported == ()


@pytest.mark.parametrize("entry", ["control.sqlite3", "control.key", "spool", "keyring-exported.json", ".hidden"])
def test_a_keyring_missing_beside_existing_data_stops_start_up_and_says_how_to_restore_it(tmp_path, entry):
    (tmp_path / entry).touch()
    with pytest.raises(KeyringMissing, match=rf"cp COPY {keyring_path(tmp_path)}.*chmod 600"):
        start_keyring(tmp_path)
    assert [found.name for found in tmp_path.iterdir()] == [entry]


def test_a_damaged_keyring_stops_start_up(tmp_path):
    create_keyring(keyring_path(tmp_path))
    keyring_path(tmp_path).write_text(Keyring.new(bytes(64)).dump()[:-20])
    with pytest.raises(KeyringUnreadable):
        start_keyring(tmp_path)


def test_a_file_in_place_of_the_data_directory_is_one_plain_sentence(tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(KeyringUnreadable, match="cannot be read"):
        start_keyring(tmp_path / "data")
