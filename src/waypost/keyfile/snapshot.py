"""The snapshot file: what control published last, kept beside the keyring, so that it survives every restart."""

from pathlib import Path
from typing import Final

from waypost.fleet.errors import SnapshotError, SnapshotKeyUnknown
from waypost.fleet.snapshot import Snapshot, decode_snapshot, encode_snapshot
from waypost.keyfile.errors import KeyringOutdated, SnapshotUnreadable, SnapshotUnwritable
from waypost.keyfile.file import changing, replace_file
from waypost.keyfile.start import keyring_path
from waypost.links.keyring import Keyring

NAME: Final = "snapshot"


def snapshot_path(data: Path) -> Path:
    """Where a data directory keeps its snapshot."""
    return data / NAME


def load_snapshot(path: Path, keyring: Keyring) -> Snapshot | None:
    """The snapshot in a file; None when there is no file.

    Raises:
        SnapshotUnreadable: it cannot be read, or is not to be believed.
    """
    try:
        return decode_snapshot(path.read_bytes(), keyring)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SnapshotUnreadable(path, f"The snapshot {path} cannot be read ({error.strerror}).") from error
    except SnapshotKeyUnknown as error:
        raise SnapshotUnreadable(
            path,
            f"The snapshot {path} is not used: {error}. The keyring is an old copy, or another one: put the newest "
            "back (an edge elsewhere fetches it from the core).",
        ) from error
    except SnapshotError as error:
        raise SnapshotUnreadable(
            path, f"The snapshot {path} is not used: {error}. It is written anew by the core, or fetched from it."
        ) from error


def check_keyring_is_newest(data: Path, keyring: Keyring) -> None:
    """Refuse an old copy of the keyring where a core publishes, as far as the snapshot there tells.

    Raises:
        KeyringOutdated: the snapshot was made with a key that this keyring lacks.
    """
    _load_ours(snapshot_path(data), keyring)


def _load_ours(path: Path, keyring: Keyring) -> Snapshot | None:
    """The snapshot that was published here last; None when there is none that can be read."""
    try:
        return load_snapshot(path, keyring)
    except SnapshotUnreadable as error:
        if isinstance(error.__cause__, SnapshotKeyUnknown):
            raise _outdated(path, keyring, error.__cause__.key_id) from error
        return None


def _outdated(path: Path, keyring: Keyring, made_with: int) -> KeyringOutdated:
    ring = keyring_path(path.parent)
    # Ids are given in order.
    lacking = [str(key_id) for key_id in range(1, made_with + 1) if key_id not in keyring.ciphers]
    lack = f"it lacks key {', '.join(lacking)}" if lacking else f"its key {made_with} is not the one"
    return KeyringOutdated(
        ring,
        f"The keyring {ring} is an old copy, or another one: {path} was made with key {made_with}, and {lack}. There "
        "may be more that it lacks: links sealed with such keys do not open, and a key added now would take the id of "
        f"another. Put the newest copy of the keyring back: cp COPY {ring} && chmod 600 {ring}. An edge elsewhere has "
        f"one in its data directory. Only if it is lost for good: rm {path}. Waypost then goes on with this keyring, "
        "and links of the lost keys stay dead.",
    )


def write_snapshot(path: Path, snapshot: Snapshot, keyring: Keyring) -> bool:
    """Put a snapshot in place, atomically and durably, unless a newer one is there. True when it is in place.

    Raises:
        KeyringOutdated: what is there was made with a key that this keyring lacks.
        SnapshotUnwritable: it cannot be written; what was there still is.
    """
    try:
        with changing(path):
            there = _load_ours(path, keyring)
            if there is not None and there.version > snapshot.version:
                return False
            replace_file(path, encode_snapshot(snapshot, keyring).decode())
    except OSError as error:
        raise SnapshotUnwritable(path, f"The snapshot {path} cannot be written ({error.strerror}).") from error
    return True
