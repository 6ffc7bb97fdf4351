"""`waypost keys` as an operator sees it."""

import re
import time
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from waypost.cli.main import main
from waypost.config import load
from waypost.control.blocks.schema import NewBlock
from waypost.control.blocks.service import Asker, add_block, remove_block
from waypost.control.edges.schema import NewEdge
from waypost.control.edges.service import add_edge, record_report
from waypost.control.errors import InvalidFieldError
from waypost.control.install import open_database
from waypost.control.sources import SYSTEM
from waypost.db import create_control_key
from waypost.fleet.courier import HeldByWorker, HeldKey, Report
from waypost.fleet.snapshot import BlockKind, Snapshot
from waypost.keyfile import add_key, keyring_path, load_keyring
from waypost.keyfile.snapshot import snapshot_path, write_snapshot
from waypost.links.keyring import Keyring
from waypost.spool.counters import Counters, WorkerStatus
from waypost.spool.files import Files


@pytest.fixture
def keys(tmp_path):
    return lambda *arguments: CliRunner().invoke(
        main, ["keys", *arguments], env={"WAYPOST_DATA": str(tmp_path / "data")}
    )


def test_create_add_list_and_export_tell_the_story_of_a_keyring(keys, tmp_path):
    assert "with key 1" in keys("create").output
    assert keys("add").output.startswith("Added key 2. Keep a new copy")
    assert keys("export", str(tmp_path / "copy.json")).output.startswith("Exported 2 key(s)")
    assert keys("add", "--mint").output.endswith("New links are sealed with key 3 from now on.\n")
    listed = [line.split() for line in keys("list").output.splitlines()]
    assert [(line[0], line[1], line[3]) for line in listed] == [
        ("KEY", "STATE", "EXPORTED"),
        ("1", "opening", "yes"),
        ("2", "opening", "yes"),
        ("3", "minting", "no"),
    ]
    assert all(re.fullmatch("[0-9a-f]{8}", line[2]) for line in listed[1:])


def worker(data, *key_ids):
    """A worker of this data directory that said just now which keys it opens tokens with."""
    directory = data / "spool" / "edge-0"
    directory.mkdir(parents=True, exist_ok=True)
    status = WorkerStatus(int(time.time() * 1000), None, 0, frozenset(key_ids), 0)
    Counters.open(directory, Files()).report(status)


def test_a_key_mints_only_once_every_worker_of_this_machine_holds_it(keys, tmp_path):
    """L2b: a link sealed with a key that an edge lacks would not open there."""
    keys("create")
    keys("add")
    worker(tmp_path / "data", 1)
    refused = keys("promote", "2")
    assert (refused.exit_code, "edge-0, on this machine, has not read it yet" in refused.output) == (1, True)
    assert load_keyring(keyring_path(tmp_path / "data")).minting.key_id == 1
    worker(tmp_path / "data", 1, 2)
    assert keys("promote", "2").exit_code == 0
    assert load_keyring(keyring_path(tmp_path / "data")).minting.key_id == 2


def test_a_blocked_key_does_not_mint_before_its_block_is_lifted(keys, tmp_path):
    data = tmp_path / "data"
    keys("create")
    keyring = add_key(keyring_path(data))
    database = open_database(load(None, {}, data))

    def block(key_id):
        new = NewBlock(kind=BlockKind.KEY, value=str(key_id), reason="leaked")
        return add_block(database, SYSTEM, keyring, Asker("cli", None), new).public_id

    with pytest.raises(InvalidFieldError, match="waypost keys promote"):
        block(1)  # it mints
    blocked = block(2)
    refused = keys("promote", "2")
    assert (refused.exit_code, f"waypost block remove {blocked}" in refused.output) == (1, True)
    assert load_keyring(keyring_path(data)).minting.key_id == 1
    remove_block(database, SYSTEM, Asker("cli", None), blocked)
    assert keys("promote", "2").exit_code == 0

    keyring = keyring.add(bytes(64))
    block(3)  # a key of which then the newest copy of the keyring is lost
    database.close()
    assert "Key 3 does not mint, because it is blocked" in keys("add", "--mint").output
    assert load_keyring(keyring_path(data)).minting.key_id == 2


def test_a_worker_that_does_not_run_holds_up_no_key(keys, tmp_path):
    keys("create")
    keys("add")
    directory = tmp_path / "data" / "spool" / "edge-0"
    directory.mkdir(parents=True)
    Counters.open(directory, Files()).report(WorkerStatus(1_000, None, 0, frozenset({1}), 0))
    assert keys("promote", "2").exit_code == 0


def test_a_registered_edge_holds_up_a_key_until_it_says_that_it_has_it(keys, tmp_path):
    data = tmp_path / "data"
    keys("create")
    keyring = add_key(keyring_path(data))
    database = open_database(load(None, {}, data))
    add_edge(database, SYSTEM, NewEdge(name="paris"))
    assert "edge paris has not said which keys it holds" in keys("promote", "2").output
    held = [HeldKey(key.key_id, key.fingerprint) for key in keyring.keys]
    record_report(database, SYSTEM, "paris", Report("0", held, [HeldByWorker("paris-0", [1, 2], 0, 0)]))
    database.close()
    assert keys("promote", "2").exit_code == 0


def test_no_key_is_added_to_an_old_copy_of_the_keyring(keys, tmp_path):
    """Two keys of one id: no edge could hold both."""
    data = tmp_path / "data"
    keys("create")
    path = keyring_path(data)
    old = path.read_bytes()
    newest = add_key(path)
    worker(data, 1, 2)
    database = open_database(load(None, {}, data))
    add_edge(database, SYSTEM, NewEdge(name="paris"))
    held = [HeldKey(key.key_id, key.fingerprint) for key in newest.keys]
    record_report(database, SYSTEM, "paris", Report("0", held, [HeldByWorker("paris-0", [1, 2], 0, 0)]))
    database.close()
    path.write_bytes(old)
    refused = keys("add", "--mint")
    assert refused.exit_code == 1
    assert "edge-0, on this machine, holds key 2" in refused.output
    assert "edge paris holds key 2" in refused.output
    assert path.read_bytes() == old
    path.write_text(newest.dump())
    assert keys("add").exit_code == 0


@pytest.mark.parametrize("command", [("add",), ("add", "--mint"), ("promote", "1")])
def test_a_keyring_older_than_what_was_published_with_it_is_not_changed(keys, tmp_path, command):
    """With no edge that runs: the snapshot alone remembers that there was a newer one."""
    data = tmp_path / "data"
    keys("create")
    path = keyring_path(data)
    old = path.read_bytes()
    open_database(load(None, {}, data)).close()
    newest = add_key(path).promote(2)
    write_snapshot(snapshot_path(data), Snapshot(1, datetime.now(UTC)), newest)
    path.write_bytes(old)
    refused = keys(*command)
    assert (refused.exit_code, "it lacks key 2" in refused.output) == (1, True)
    assert path.read_bytes() == old
    snapshot_path(data).unlink()  # the newest copy is lost for good
    assert keys(*command).exit_code == 0


def test_a_core_whose_database_is_named_nowhere_is_not_taken_for_one_without_edges(keys, tmp_path):
    keys("create")
    create_control_key(tmp_path / "data")
    for command in (("add",), ("promote", "1")):
        refused = keys(*command)
        assert (refused.exit_code, "--config FILE" in refused.output) == (1, True)


@pytest.mark.parametrize("command", [("add",), ("add", "--mint"), ("promote", "1")])
def test_an_edge_s_copy_of_the_keyring_is_not_changed(keys, tmp_path, command):
    """A key that was made here would be on no other machine, and the core's next one, of the same id, refused here."""
    keys("create")
    path = keyring_path(tmp_path / "data")
    before = path.read_bytes()
    config = tmp_path / "waypost.toml"
    config.write_text('[edge]\ncontrol_url = "https://core.example.com"\n')
    told = keys(*command, "--config", str(config))
    assert (told.exit_code, "of https://core.example.com, and is not changed" in told.output) == (1, True)
    write_snapshot(snapshot_path(tmp_path / "data"), Snapshot(1, datetime.now(UTC)), load_keyring(path))
    untold = keys(*command)
    assert (untold.exit_code, "Run this on the core's machine" in untold.output) == (1, True)
    assert path.read_bytes() == before


def test_the_core_s_own_keyring_is_changed_although_an_edge_of_this_machine_has_the_same_settings(keys, tmp_path):
    keys("create")
    open_database(load(None, {}, tmp_path / "data")).close()
    config = tmp_path / "waypost.toml"
    config.write_text('[edge]\ncontrol_url = "http://127.0.0.1:8025"\n')
    assert keys("add", "--config", str(config)).exit_code == 0


def test_a_key_that_is_not_there_is_not_promoted(keys):
    keys("create")
    result = keys("promote", "7")
    assert (result.exit_code, "There is no key 7" in result.output) == (1, True)


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
