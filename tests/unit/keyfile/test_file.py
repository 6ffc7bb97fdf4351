"""The keyring file: whole or absent, private, and never in the place of another."""

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from waypost.keyfile import (
    KeyringExists,
    KeyringExposed,
    KeyringMissing,
    KeyringUnreadable,
    KeyringUnwritable,
    add_key,
    create_keyring,
    export_keyring,
    load_keyring,
    promote_key,
    record_export,
    unexported_key_ids,
)
from waypost.links.errors import InvalidKeyring
from waypost.links.keyring import Keyring

NOW = datetime(2024, 6, 3, 12, tzinfo=UTC)


def randomness(number):
    return lambda size: bytes([number]) * size


@pytest.fixture
def path(tmp_path):
    create_keyring(tmp_path / "data" / "keyring.json", randomness=randomness(1))
    return tmp_path / "data" / "keyring.json"


def names(directory):
    return sorted(entry.name for entry in directory.iterdir())


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_created_keyring_loads_and_is_private(path):
    assert load_keyring(path) == Keyring.new(bytes([1]) * 64)
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert names(path.parent) == ["keyring.json"]


def test_secrets_differ_unless_told_otherwise(tmp_path):
    rings = [create_keyring(tmp_path / str(number) / "keyring.json") for number in range(2)]
    assert rings[0].minting.secret != rings[1].minting.secret


@pytest.mark.parametrize("content", ["", "anything"])
def test_creating_never_replaces_a_file(tmp_path, content):
    path = tmp_path / "keyring.json"
    path.write_text(content)
    with pytest.raises(KeyringExists):
        create_keyring(path)
    assert path.read_text() == content


def test_an_added_key_only_opens_until_it_is_promoted(path):
    before = load_keyring(path)
    after = add_key(path, randomness=randomness(2))
    assert after == load_keyring(path)
    assert [key.secret for key in after.keys] == [before.keys[0].secret, bytes([2]) * 64]
    assert after.minting.key_id == 1
    assert mode(path) == 0o600
    promoted = promote_key(path, 2)
    assert promoted == load_keyring(path)
    assert (promoted.minting.key_id, len(promoted.keys), mode(path)) == (2, 2, 0o600)


def test_a_file_that_root_writes_belongs_to_whom_the_one_before_did(path, monkeypatch):
    owners = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _, user, group: owners.append((user, group)))
    held = path.stat()
    add_key(path)
    assert owners == [(held.st_uid, held.st_gid)]


def test_a_file_that_root_writes_where_there_is_none_belongs_to_its_directory_s_owner(tmp_path, monkeypatch):
    owners = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _, user, group: owners.append((user, group)))
    directory = tmp_path.stat()
    create_keyring(tmp_path / "keyring.json")
    assert owners == [(directory.st_uid, directory.st_gid)]


def test_a_key_that_is_not_there_cannot_be_promoted(path, tmp_path):
    before = path.read_bytes()
    with pytest.raises(InvalidKeyring):
        promote_key(path, 9)
    assert path.read_bytes() == before
    with pytest.raises(KeyringMissing):
        promote_key(tmp_path / "none" / "keyring.json", 1)


def test_adding_to_no_keyring_says_so(tmp_path):
    with pytest.raises(KeyringMissing):
        add_key(tmp_path / "none" / "keyring.json")


def test_a_key_that_cannot_be_added_changes_nothing(path):
    before = path.read_bytes()
    with pytest.raises(InvalidKeyring):
        add_key(path, randomness=randomness(1))
    assert path.read_bytes() == before


@pytest.fixture
def failing_disk(monkeypatch):
    def fail(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)


@pytest.mark.usefixtures("failing_disk")
def test_a_failing_disk_leaves_no_new_keyring(tmp_path):
    with pytest.raises(KeyringUnwritable, match="Input/output error"):
        create_keyring(tmp_path / "keyring.json")
    assert names(tmp_path) == []


def test_a_failing_disk_leaves_the_old_keyring_whole(path, request):
    before = path.read_bytes()
    request.getfixturevalue("failing_disk")
    with pytest.raises(KeyringUnwritable, match="Input/output error"):
        add_key(path)
    assert path.read_bytes() == before
    assert names(path.parent) == ["keyring.json"]


def test_a_failing_disk_leaves_no_half_export_and_records_none(path, tmp_path, request):
    request.getfixturevalue("failing_disk")
    with pytest.raises(OSError, match="Input/output error"):
        export_keyring(path, tmp_path / "copy.json", now=NOW)
    assert names(tmp_path) == ["data"]
    assert unexported_key_ids(path, load_keyring(path)) == (1,)


def test_a_data_directory_that_cannot_be_made_is_one_plain_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(KeyringUnwritable, match="Not a directory"):
        create_keyring(tmp_path / "file" / "data" / "keyring.json")


def test_keys_added_at_once_are_all_kept(path):
    with ThreadPoolExecutor(8) as pool:
        added = {ring.keys[-1] for ring in pool.map(lambda _: add_key(path), range(16))}
    assert len(added) == 16
    assert set(load_keyring(path).keys[1:]) == added


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o610, 0o602, 0o644, 0o777])
def test_a_keyring_that_others_can_use_is_refused_with_the_remedy(path, bits):
    path.chmod(bits)
    with pytest.raises(KeyringExposed, match=rf"mode {bits:04o}.*chmod 600 {path}.*keys add --mint.*long as it opens"):
        load_keyring(path)


@pytest.mark.parametrize("bits", [0o600, 0o400])
def test_a_private_keyring_loads(path, bits):
    path.chmod(bits)
    assert load_keyring(path).minting.key_id == 1


def test_no_keyring_says_to_look_for_it_before_making_another(tmp_path):
    with pytest.raises(KeyringMissing, match=r"put your copy back; .*--data .*keys create` .* opens no earlier link"):
        load_keyring(tmp_path / "keyring.json")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"x" * (2 << 20)])
def test_a_damaged_keyring_says_how_to_restore_it(path, content):
    path.write_bytes(content)
    with pytest.raises(KeyringUnreadable, match=rf"damaged.*cp COPY {path}.*keys export"):
        load_keyring(path)


def test_a_directory_in_its_place_cannot_be_read(tmp_path):
    with pytest.raises(KeyringUnreadable, match="Is a directory"):
        load_keyring(tmp_path)


def test_an_export_is_a_keyring_file_like_the_original(path, tmp_path):
    copy = tmp_path / "copy.json"
    assert export_keyring(path, copy, now=NOW) == load_keyring(copy) == load_keyring(path)
    assert mode(copy) == 0o600


def test_an_export_never_replaces_a_file(path, tmp_path):
    copy = tmp_path / "copy.json"
    copy.write_text("other")
    with pytest.raises(KeyringExists):
        export_keyring(path, copy, now=NOW)
    assert copy.read_text() == "other"
    assert unexported_key_ids(path, load_keyring(path)) == (1,)


def test_keys_are_unexported_until_they_are_and_so_is_each_added_one(path, tmp_path):
    assert unexported_key_ids(path, load_keyring(path)) == (1,)
    export_keyring(path, tmp_path / "1.json", now=NOW)
    assert unexported_key_ids(path, load_keyring(path)) == ()
    grown = add_key(path)
    assert unexported_key_ids(path, grown) == (2,)
    record_export(path, grown, now=NOW)
    assert unexported_key_ids(path, grown) == ()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"fingerprints": 1}', b'{"fingerprints": [[]]}'])
def test_a_damaged_record_of_exports_counts_as_none(path, content):
    path.with_name("keyring-exported.json").write_bytes(content)
    assert unexported_key_ids(path, load_keyring(path)) == (1,)


def test_the_record_of_exports_holds_no_secret(path, tmp_path):
    export_keyring(path, tmp_path / "1.json", now=NOW)
    record = path.with_name("keyring-exported.json").read_text()
    assert '"exported_at": "2024-06-03T12:00:00+00:00"' in record
    assert "AQEBAQEB" not in record
    assert "AQEBAQEB" in path.read_text()
