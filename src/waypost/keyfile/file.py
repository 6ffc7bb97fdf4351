"""The keyring file: read it, and write it so that a crash leaves the old one or the new one, whole."""

import fcntl
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from waypost.keyfile.errors import KeyringExists, KeyringExposed, KeyringMissing, KeyringUnreadable, KeyringUnwritable
from waypost.links.errors import InvalidKeyring
from waypost.links.keyring import SECRET_BYTES, Keyring

NAME: Final = "keyring.json"
UNFINISHED_PREFIX: Final = f".{NAME}."
"""Of a file that a crash left before it took its place."""

_MAX_BYTES: Final = 1 << 20  # 255 keys take 60 KB; a larger file is not ours

Randomness = Callable[[int], bytes]
"""Gives so many random bytes."""


def load_keyring(path: Path) -> Keyring:
    """The keyring in a file.

    Raises:
        KeyringMissing: there is no file.
        KeyringExposed: group or others have any access to it.
        KeyringUnreadable: it cannot be read, or is not a keyring.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(_MAX_BYTES)
    except FileNotFoundError as error:
        raise KeyringMissing(
            path,
            f"There is no keyring at {path}. If links were sent, put your copy back; if it is elsewhere, give --data "
            "(or --keyring to `waypost links`). `waypost keys create` makes a new one, which opens no earlier link.",
        ) from error
    except OSError as error:
        raise KeyringUnreadable(
            path, f"The keyring {path} cannot be read ({error.strerror}). Make it a file that this user owns."
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyringExposed(
            path,
            f"The keyring {path} can be used by other users of this machine (mode {mode:04o}), and who has it can "
            f"forge links. Run: chmod 600 {path}. If someone may have read it: `waypost keys add --mint` seals new "
            "links with another key, but links can be forged with an exposed key as long as it opens.",
        )
    try:
        return Keyring.parse(content.decode("utf-8"))
    except (UnicodeDecodeError, InvalidKeyring) as error:
        raise KeyringUnreadable(
            path,
            f"The keyring {path} is damaged ({error}). Put your copy back: cp COPY {path} && chmod 600 {path}, "
            "where COPY is what `waypost keys export` wrote.",
        ) from error


def create_keyring(path: Path, *, randomness: Randomness = secrets.token_bytes) -> Keyring:
    """A new keyring in a new file of mode 0600; the directory is made, for this user only, if it is missing.

    Whether a new keyring is right there is not asked here; see `start_keyring`.

    Raises:
        KeyringExists: there is a file, whatever is in it.
        KeyringUnwritable: the directory or the file cannot be made.
    """
    with _unwritable_said(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _unwritable_said(path), changing(path):
        if path.exists():
            raise KeyringExists(path, f"There is a keyring at {path}. `waypost keys add` adds a key to it.")
        keyring = Keyring.new(randomness(SECRET_BYTES))
        replace_file(path, keyring.dump())
    return keyring


def add_key(path: Path, *, randomness: Randomness = secrets.token_bytes) -> Keyring:
    """The keyring in a file, with one more key, which only opens, written back.

    Args:
        path: of the keyring.
        randomness: where the secret comes from.

    Raises:
        KeyfileError: as `load_keyring`.
        KeyringUnwritable: it cannot be written.
        InvalidKeyring: all key ids are taken.
    """
    if not path.exists():
        load_keyring(path)  # says what is missing
    with _unwritable_said(path), changing(path):
        keyring = load_keyring(path).add(randomness(SECRET_BYTES))
        replace_file(path, keyring.dump())
    return keyring


def promote_key(path: Path, key_id: int) -> Keyring:
    """The keyring in a file, with another key minting, written back. Every edge must hold the key first.

    Raises:
        KeyfileError: as `load_keyring`.
        KeyringUnwritable: it cannot be written.
        InvalidKeyring: there is no such key.
    """
    if not path.exists():
        load_keyring(path)  # says what is missing
    with _unwritable_said(path), changing(path):
        keyring = load_keyring(path).promote(key_id)
        replace_file(path, keyring.dump())
    return keyring


def replace_file(path: Path, text: str) -> None:
    """Put a file of mode 0600 in place, atomically and durably.

    Written by root, it belongs to whom the one before did or, without one, its directory: a block that root sets is to
    be read by the workers.

    Raises:
        OSError: it could not be written; what was there still is.
    """
    descriptor, name = tempfile.mkstemp(prefix=UNFINISHED_PREFIX, dir=path.parent)  # mode 0600
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if os.geteuid() == 0:
                owned = (path if path.exists() else path.parent).stat()
                os.fchown(descriptor, owned.st_uid, owned.st_gid)
            _write_through(file, text)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def file_stamp(path: Path) -> tuple[int, int, int] | None:
    """Another one whenever the file at a path may be another; None when there is none, or it cannot be asked for.

    By the time of its last change, chmod's included: a copy that keeps the file's own time is noticed too.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ctime_ns, found.st_size, found.st_ino


def write_new_file(path: Path, text: str) -> None:
    """Write a file of mode 0600 durably, where there is none.

    Not by way of another name: linking one into place does not work on the sticks that copies are carried on.

    Raises:
        FileExistsError: there is a file.
        OSError: it could not be written; nothing is left of it.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            _write_through(file, text)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _write_through(file: TextIO, text: str) -> None:
    file.write(text)
    file.flush()
    os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    with _directory(path) as descriptor:
        os.fsync(descriptor)


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """One writer at a time. The lock is the directory's own, so that nothing is left behind."""
    with _directory(path.parent) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def _unwritable_said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyringUnwritable(path, f"The keyring {path} cannot be written ({error.strerror}).") from error


@contextmanager
def _directory(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
