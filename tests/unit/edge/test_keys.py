from pathlib import Path

from waypost.edge.keys import RECHECK_SECONDS, KeyringFile
from waypost.keyfile import add_key, create_keyring


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_an_added_key_is_picked_up_when_it_is_first_missed(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    create_keyring(path)
    clock = Clock()
    keys = KeyringFile(path, clock)
    add_key(path, mint=True)
    clock.seconds += RECHECK_SECONDS
    assert keys.reload()
    assert len(keys.keyring.keys) == 2


def test_an_unchanged_file_is_not_read_again_and_not_looked_at_all_the_time(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    create_keyring(path)
    clock = Clock()
    keys = KeyringFile(path, clock)
    clock.seconds += RECHECK_SECONDS
    assert not keys.reload()
    add_key(path, mint=False)
    assert not keys.reload()
    clock.seconds += RECHECK_SECONDS
    assert keys.reload()


def test_a_keyring_that_became_unreadable_or_vanished_leaves_the_one_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    keyring = create_keyring(path)
    clock = Clock()
    keys = KeyringFile(path, clock)
    path.write_text("{}")
    clock.seconds += RECHECK_SECONDS
    assert not keys.reload()
    path.unlink()
    clock.seconds += RECHECK_SECONDS
    assert not keys.reload()
    assert keys.keyring == keyring
