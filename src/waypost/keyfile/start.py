"""The keyring at start-up: the one that is there, or a new one where nothing can depend on an old one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from waypost.keyfile.errors import KeyringMissing, KeyringUnreadable
from waypost.keyfile.export import unexported_key_ids
from waypost.keyfile.file import NAME, UNFINISHED_PREFIX, create_keyring, load_keyring
from waypost.links.keyring import Keyring

_NOT_DATA: Final = frozenset({"lost+found"})
"""What a fresh file system holds."""


@dataclass(frozen=True, slots=True)
class StartedKeyring:
    """What start-up has to know and to say."""

    keyring: Keyring
    created: bool
    """It is new: this data directory was empty."""
    unexported: tuple[int, ...]
    """Key ids to remind of until `waypost keys export` has run."""


def keyring_path(data: Path) -> Path:
    """Where a data directory keeps its keyring."""
    return data / NAME


def is_empty(data: Path) -> bool:
    """Whether a data directory is missing or holds nothing, so that no link can have been sent from it."""
    try:
        names = [entry.name for entry in data.iterdir()]
    except FileNotFoundError:
        return True
    return all(name in _NOT_DATA or name.startswith(UNFINISHED_PREFIX) for name in names)


def check_new_keyring_is_safe(data: Path) -> None:
    """Refuse a new keyring beside existing data: the links sent from it would all be dead.

    Raises:
        KeyringMissing: the data directory holds something.
    """
    if is_empty(data):
        return
    path = keyring_path(data)
    raise KeyringMissing(
        path,
        f"{data} holds data but no keyring, and links already sent open only with the keys they were sealed with. "
        f"Put your copy back: cp COPY {path} && chmod 600 {path}, where COPY is what `waypost keys export` wrote. "
        f"Only if no link was ever sent from here: waypost keys create --beside-existing-data --data {data}",
    )


def start_keyring(data: Path) -> StartedKeyring:
    """The keyring of a data directory; a new one if the directory is empty or missing.

    Call it before anything else writes to the directory.

    Raises:
        KeyringMissing: there is data but no keyring.
        KeyfileError: as `load_keyring` and `create_keyring`.
    """
    path = keyring_path(data)
    try:
        created = not path.exists()
        if created:
            check_new_keyring_is_safe(data)
    except OSError as error:
        raise KeyringUnreadable(path, f"The data directory {data} cannot be read ({error.strerror}).") from error
    keyring = create_keyring(path) if created else load_keyring(path)
    return StartedKeyring(keyring, created, unexported_key_ids(path, keyring))
