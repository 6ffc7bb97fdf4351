"""The snapshot file: what control published last, kept beside the keyring, so that it survives every restart."""

from pathlib import Path
from typing import Final

from waypost.fleet.errors import SnapshotError
from waypost.fleet.snapshot import Snapshot, decode_snapshot, encode_snapshot
from waypost.keyfile.errors import SnapshotUnreadable, SnapshotUnwritable
from waypost.keyfile.file import changing, replace_file
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
    except SnapshotError as error:
        raise SnapshotUnreadable(
            path, f"The snapshot {path} is not used: {error}. It is written anew by the core, or fetched from it."
        ) from error


def write_snapshot(path: Path, snapshot: Snapshot, keyring: Keyring) -> bool:
    """Put a snapshot in place, atomically and durably, unless a newer one is there. True when it is in place.

    Raises:
        SnapshotUnwritable: it cannot be written; what was there still is.
    """
    try:
        with changing(path):
            try:
                there = load_snapshot(path, keyring)
            except SnapshotUnreadable:
                there = None
            if there is not None and there.version > snapshot.version:
                return False
            replace_file(path, encode_snapshot(snapshot, keyring).decode())
    except OSError as error:
        raise SnapshotUnwritable(path, f"The snapshot {path} cannot be written ({error.strerror}).") from error
    return True
