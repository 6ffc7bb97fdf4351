"""What can be wrong with a snapshot.

SnapshotError
├── SnapshotMalformed     it is not a snapshot, or of a later format
├── SnapshotKeyUnknown    its key is not in the keyring, which may have another of that id
└── SnapshotForged        its MAC does not fit: altered, or made by somebody without the key
"""


class SnapshotError(Exception):
    """Not to be believed; the message is for the operator."""


class SnapshotMalformed(SnapshotError):
    """Not a snapshot as this release knows it."""


class SnapshotKeyUnknown(SnapshotError):
    """Made with a key that is not in the keyring."""

    def __init__(self, key_id: int, *, other: bool) -> None:
        """`other`: the keyring has another key of this id."""
        where = "and that of the keyring is another one" if other else "which is not in the keyring"
        super().__init__(f"it was made with key {key_id}, {where}")
        self.key_id = key_id


class SnapshotForged(SnapshotError):
    """Its MAC does not fit."""
