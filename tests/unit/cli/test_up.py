"""What `waypost up` refuses before it starts anything, and what it says."""

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from waypost.cli.machine import LOCK_FILE, links_origin
from waypost.cli.main import main
from waypost.cli.up import api_workers, reminder_of
from waypost.config import load
from waypost.keyfile import add_key, keyring_path, record_export, start_keyring


def up(data):
    return CliRunner().invoke(main, ["up", "--data", str(data)])


def test_a_data_directory_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "file").touch()
    result = up(tmp_path / "file" / "data")
    assert result.exit_code == 1
    assert f"The data directory {tmp_path}/file/data cannot be read (Not a directory)." in result.output


def test_a_data_directory_that_cannot_be_written_is_named(tmp_path):
    start_keyring(tmp_path)
    (tmp_path / LOCK_FILE).mkdir()
    result = up(tmp_path)
    assert result.exit_code == 1
    assert f"The data directory {tmp_path} cannot be written (Is a directory)." in result.output


def test_data_without_a_keyring_is_refused_and_left_alone(tmp_path):
    (tmp_path / "control.sqlite3").touch()
    result = up(tmp_path)
    assert result.exit_code == 1
    assert "holds data but no keyring" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["control.sqlite3"]


def test_it_reminds_of_the_keys_without_a_copy_by_their_ids_once_others_have_one(tmp_path):
    path = keyring_path(tmp_path)
    assert "no copy of the link keys yet" in reminder_of(start_keyring(tmp_path))
    record_export(path, start_keyring(tmp_path).keyring, now=datetime(2024, 6, 3, tzinfo=UTC))
    assert reminder_of(start_keyring(tmp_path)) == ""
    add_key(path)
    assert "no copy of link key 2 yet" in reminder_of(start_keyring(tmp_path))
    add_key(path)
    assert "no copy of link keys 2, 3 yet" in reminder_of(start_keyring(tmp_path))


@pytest.mark.parametrize(
    ("environ", "origin"),
    [
        ({}, "http://localhost:8026"),
        ({"WAYPOST_EDGE__LISTEN": "0.0.0.0:80"}, "http://localhost:80"),
        ({"WAYPOST_EDGE__LISTEN": "192.0.2.1:80"}, "http://192.0.2.1:80"),
        ({"WAYPOST_LINKS__DEVELOPMENT_DOMAINS": "links.test"}, "http://127.0.0.1:8026"),
    ],
)
def test_links_are_said_to_be_where_they_open(tmp_path, environ, origin):
    assert links_origin(load(None, environ, tmp_path)) == origin


POSTGRESQL = "postgresql+psycopg://waypost@db.example/waypost"


@pytest.mark.parametrize(
    ("url", "wanted", "processes"),
    [
        ("", "0", 0),
        ("", "1", 0),
        ("sqlite:///control.sqlite3", "0", 0),
        (POSTGRESQL, "0", 2),
        (POSTGRESQL, "1", 0),
        (POSTGRESQL, "2", 2),
        (POSTGRESQL, "8", 8),
    ],
)
def test_how_many_processes_serve_the_api_before_the_core(tmp_path, url, wanted, processes):
    environ = {"WAYPOST_DB__URL": url, "WAYPOST_CONTROL__WORKERS": wanted}
    assert api_workers(load(None, environ, tmp_path)) == processes


def test_several_api_workers_on_sqlite_are_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("WAYPOST_CONTROL__WORKERS", "2")
    result = up(tmp_path / "data")
    assert result.exit_code == 2
    assert "control.workers is 2, and the control database is SQLite" in result.output
    assert not (tmp_path / "data").exists()


def test_a_number_of_api_workers_that_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WAYPOST_CONTROL__WORKERS", "65")
    result = up(tmp_path / "data")
    assert result.exit_code == 2
    assert "a whole number of processes from 0 to 64" in result.output
