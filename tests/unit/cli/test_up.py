"""What `waypost up` refuses before it starts anything."""

from click.testing import CliRunner

from waypost.cli.main import main
from waypost.cli.up import LOCK_FILE
from waypost.keyfile import start_keyring


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
