"""Keyring and snapshot of a running process: new ones are taken, bad, missing and older ones change nothing."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.descriptors import no_descriptor_left

from waypost.fleet.snapshot import Blocks, Snapshot, encode_snapshot
from waypost.keyfile import KeyringMissing, KeyringOutdated, SnapshotUnreadable, add_key, create_keyring, promote_key
from waypost.keyfile.file import replace_file
from waypost.keyfile.snapshot import check_keyring_is_newest, load_snapshot, snapshot_path, write_snapshot
from waypost.keyfile.watched import WatchedKeyring, WatchedSnapshot
from waypost.links.keyring import Keyring


def version(number: int, **blocks: frozenset[int]) -> Snapshot:
    return Snapshot(number, datetime(2026, 11, 24, tzinfo=UTC), {}, Blocks(**blocks))


@pytest.fixture
def keyring_file(tmp_path: Path) -> Path:
    create_keyring(tmp_path / "keyring.json")
    return tmp_path / "keyring.json"


def test_an_added_key_is_taken_at_the_next_look(keyring_file):
    watched = WatchedKeyring(keyring_file)
    assert not watched.look()
    add_key(keyring_file)
    assert watched.look()
    assert sorted(watched.keyring.ciphers) == [1, 2]
    promote_key(keyring_file, 2)
    assert watched.look()
    assert watched.keyring.minting.key_id == 2
    assert not watched.look()


def test_a_keyring_that_is_bad_or_gone_leaves_the_one_in_memory(keyring_file, caplog):
    watched = WatchedKeyring(keyring_file)
    held = watched.keyring
    keyring_file.write_text("{}")
    assert not watched.look()
    keyring_file.unlink()
    assert not watched.look()
    assert watched.keyring == held
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 2


def test_a_keyring_that_lacks_a_key_is_not_taken(keyring_file, caplog):
    """Keys are added, never removed: links sealed with the missing one would be dead."""
    watched = WatchedKeyring(keyring_file)
    held = watched.keyring
    replace_file(keyring_file, Keyring.new(bytes(64)).dump())
    assert not watched.look()
    assert watched.keyring == held
    assert "lacks key 1, or has another in its place" in caplog.text
    assert "put the newest copy back" in watched.problem
    replace_file(keyring_file, held.add(bytes(64)).dump())
    assert watched.look()
    assert watched.problem == ""


def test_a_keyring_that_could_not_be_read_is_tried_again_though_it_changes_no_more(keyring_file, caplog):
    """Else an edge lacks a key until it is started again, and no link is ever sealed with that."""
    watched = WatchedKeyring(keyring_file)
    add_key(keyring_file)
    with no_descriptor_left():
        assert not watched.look()
        assert not watched.look()
    assert len(caplog.records) == 1
    assert watched.look()
    assert (sorted(watched.keyring.ciphers), watched.problem) == ([1, 2], "")


def test_a_snapshot_that_could_not_be_read_is_tried_again_though_it_changes_no_more(tmp_path, keyring):
    """Else what it blocks redirects until the next one is published."""
    watched = WatchedSnapshot(snapshot_path(tmp_path), lambda: keyring)
    write_snapshot(snapshot_path(tmp_path), version(1, accounts=frozenset({7})), keyring)
    with no_descriptor_left():
        assert not watched.look()
    assert watched.look()
    assert watched.snapshot == version(1, accounts=frozenset({7}))


def test_a_keyring_whose_mode_is_put_right_afterwards_is_taken(keyring_file):
    watched = WatchedKeyring(keyring_file)
    copy = watched.keyring.add(bytes(64)).dump()
    keyring_file.unlink()
    keyring_file.write_text(copy)
    keyring_file.chmod(0o644)
    assert not watched.look()
    assert "chmod 600" in watched.problem
    keyring_file.chmod(0o600)
    assert watched.look()
    assert watched.problem == ""


def test_a_process_does_not_start_without_a_keyring(tmp_path):
    with pytest.raises(KeyringMissing):
        WatchedKeyring(tmp_path / "keyring.json")


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.new(bytes(range(64)))


def test_a_snapshot_is_taken_when_it_appears_and_when_it_changes(tmp_path, keyring):
    path = snapshot_path(tmp_path)
    watched = WatchedSnapshot(path, lambda: keyring)
    assert (watched.look(), watched.snapshot) == (False, None)
    assert write_snapshot(path, version(1), keyring)
    assert (watched.look(), watched.snapshot) == (True, version(1))
    assert not watched.look()
    assert write_snapshot(path, version(2, accounts=frozenset({3})), keyring)
    assert (watched.look(), watched.snapshot.blocks.accounts) == (True, {3})
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_older_snapshot_put_back_lifts_no_block(tmp_path, keyring, caplog):
    path = snapshot_path(tmp_path)
    write_snapshot(path, version(2, accounts=frozenset({3})), keyring)
    watched = WatchedSnapshot(path, lambda: keyring)
    path.write_bytes(encode_snapshot(version(1), keyring))
    assert not watched.look()
    assert not watched.look()
    assert watched.snapshot.version == 2
    assert caplog.text.count("is older than") == 1


def test_a_forged_torn_or_missing_snapshot_leaves_the_last_good_one(tmp_path, keyring, caplog):
    path = snapshot_path(tmp_path)
    write_snapshot(path, version(2), keyring)
    watched = WatchedSnapshot(path, lambda: keyring)
    for data in (encode_snapshot(version(9), Keyring.new(bytes(64))), path.read_bytes()[:-3], b""):
        path.write_bytes(data)
        assert not watched.look()
    path.unlink()
    assert not watched.look()
    assert watched.snapshot == version(2)
    assert "not used" in caplog.text


def test_a_snapshot_made_with_a_key_on_its_way_is_taken_once_the_key_is_there(tmp_path, keyring):
    path = snapshot_path(tmp_path)
    rolled = keyring.add(b"n" * 64).promote(2)
    write_snapshot(path, version(3), rolled)
    held = keyring
    watched = WatchedSnapshot(path, lambda: held)
    assert watched.snapshot is None
    held = rolled
    assert watched.look()
    assert watched.snapshot == version(3)


def test_a_writer_does_not_put_an_older_snapshot_over_a_newer_one(tmp_path, keyring):
    path = snapshot_path(tmp_path)
    assert write_snapshot(path, version(5), keyring)
    assert not write_snapshot(path, version(4), keyring)
    assert load_snapshot(path, keyring) == version(5)
    path.write_bytes(b"damaged")
    with pytest.raises(SnapshotUnreadable, match="is not used"):
        load_snapshot(path, keyring)
    assert write_snapshot(path, version(6), keyring)


def grown(keyring: Keyring, keys: int) -> Keyring:
    for number in range(2, keys + 1):
        keyring = keyring.add(bytes([number]) * 64)
    return keyring


@pytest.mark.parametrize(
    ("newest", "lack"),
    [
        (lambda ring: grown(ring, 7).promote(5), "made with key 5, and it lacks key 2, 3, 4, 5"),
        (lambda _: Keyring.new(bytes(64)), "made with key 1, and its key 1 is not the one"),
    ],
    ids=["older", "another secret"],
)
def test_an_old_copy_of_the_keyring_publishes_nothing_over_what_a_newer_one_has_published(
    tmp_path, keyring, newest, lack
):
    """Else links of the keys that it lacks are dead in silence, and the next key takes the id of one of them."""
    path = snapshot_path(tmp_path)
    write_snapshot(path, version(3), newest(keyring))
    before = path.read_bytes()
    for publish in (
        lambda: check_keyring_is_newest(tmp_path, keyring),
        lambda: write_snapshot(path, version(4), keyring),
    ):
        with pytest.raises(KeyringOutdated, match=lack) as refused:
            publish()
        assert f"rm {path}" in str(refused.value)
    assert path.read_bytes() == before
    check_keyring_is_newest(tmp_path, newest(keyring))


@pytest.mark.parametrize(
    "damage", [(b'"version":3', b'"version":9'), (b"snapshot-1 1 ", b"snapshot-1 9 "), (b"}", b"")]
)
def test_a_damaged_snapshot_is_written_anew(tmp_path, keyring, damage):
    path = snapshot_path(tmp_path)
    write_snapshot(path, version(3), keyring)
    path.write_bytes(path.read_bytes().replace(*damage))
    check_keyring_is_newest(tmp_path, keyring)
    assert write_snapshot(path, version(3), keyring)
    assert load_snapshot(path, keyring) == version(3)
