"""What can be wrong with a snapshot.

SnapshotError
├── SnapshotMalformed     it is not a snapshot, or of a later format
├── SnapshotKeyUnknown    its key is not in the keyring; another keyring may have it
└── SnapshotForged        its MAC does not fit: altered, or made by somebody without the key
"""


class SnapshotError(Exception):
    """Not to be believed; the message is for the operator."""


class SnapshotMalformed(SnapshotError):
    """Not a snapshot as this release knows it."""


class SnapshotKeyUnknown(SnapshotError):
    """Made with a key that is not in the keyring."""

    def __init__(self, key_id: int) -> None:
        super().__init__(f"it was made with key {key_id}, which is not in the keyring")
        self.key_id = key_id


class SnapshotForged(SnapshotError):
    """Its MAC does not fit."""
