"""control.key: made once, kept to its owner, and needed to open what it sealed."""

import os

import pytest

from waypost.db import CONTROL_KEY_FILE, ControlKey, ControlKeyError, create_control_key, load_control_key

SECRET = b"a signing key"


def test_what_is_sealed_opens_after_a_restart_for_the_same_purpose(tmp_path):
    sealed = create_control_key(tmp_path).seal(SECRET, "signing-key 1")

    assert SECRET not in sealed
    assert load_control_key(tmp_path).open(sealed, "signing-key 1") == SECRET


@pytest.mark.parametrize(
    ("key", "purpose", "alter"),
    [
        pytest.param(bytes(32), "p", lambda s: s, id="another key"),
        pytest.param(b"k" * 32, "q", lambda s: s, id="another purpose"),
        pytest.param(b"k" * 32, "p", lambda s: s[:-1] + bytes([s[-1] ^ 1]), id="altered"),
        pytest.param(b"k" * 32, "p", lambda s: s[:-1], id="cut"),
        pytest.param(b"k" * 32, "p", lambda _: b"", id="empty"),
    ],
)
def test_nothing_else_opens_it(key, purpose, alter):
    sealed = ControlKey(b"k" * 32).seal(SECRET, "p")

    with pytest.raises(ControlKeyError, match=CONTROL_KEY_FILE):
        ControlKey(key).open(alter(sealed), purpose)


def test_sealing_twice_gives_two_texts():
    key = ControlKey(b"k" * 32)

    assert key.seal(SECRET, "p") != key.seal(SECRET, "p")


def test_the_file_is_for_its_owner_only_and_is_never_overwritten(tmp_path):
    create_control_key(tmp_path)
    before = (tmp_path / CONTROL_KEY_FILE).read_bytes()

    with pytest.raises(FileExistsError):
        create_control_key(tmp_path)
    assert (tmp_path / CONTROL_KEY_FILE).read_bytes() == before
    assert (tmp_path / CONTROL_KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_a_disk_that_fails_leaves_no_half_written_key_that_would_have_to_be_restored(tmp_path, monkeypatch):
    def fail(_descriptor):
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError):  # noqa: PT011 - the one above
            create_control_key(tmp_path)

    assert list(tmp_path.iterdir()) == []
    create_control_key(tmp_path)


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (None, 0o600, "missing"),
        (b"00" * 32, 0o640, "chmod 600"),
        (b"00" * 31, 0o600, "does not hold a control key"),
        (b"zz" * 32, 0o600, "does not hold a control key"),
        (b"\xff", 0o600, "cannot be read"),
    ],
)
def test_a_bad_file_is_refused_with_what_to_do(tmp_path, content, mode, said):
    if content is not None:
        (tmp_path / CONTROL_KEY_FILE).write_bytes(content)
        (tmp_path / CONTROL_KEY_FILE).chmod(mode)

    with pytest.raises(ControlKeyError, match=said):
        load_control_key(tmp_path)


def test_the_key_does_not_show_when_printed():
    assert repr(ControlKey(b"k" * 32)) == "ControlKey(***)"
