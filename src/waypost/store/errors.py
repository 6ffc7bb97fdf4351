"""What can go wrong with the event store.

StoreError
├── StoreUrlInvalid     the URL names no store this version can use
├── StoreInUse          another process owns the embedded store
├── StoreTooNew         a later version of Waypost wrote this store
├── StoreRefused        a row that no store of this schema can hold; repeating it is of no use
└── StoreFailed         the engine failed or could not be reached; the operation may be repeated
"""

from pathlib import Path


class StoreError(Exception):
    """The event store cannot do what was asked; the message is for the operator."""


class StoreUrlInvalid(StoreError):
    """The URL names no store this version can use."""

    def __init__(self, scheme: str) -> None:
        """Keep the scheme only: the rest of a URL may hold a password."""
        super().__init__(
            f"store.url: scheme {scheme!r} is not one of chdb, clickhouse, clickhouses; "
            "leave it empty for the embedded store in the data directory"
        )
        self.scheme = scheme


class StoreInUse(StoreError):
    """Another process owns the embedded store: chDB allows one."""

    def __init__(self, path: Path, owner: str) -> None:
        """Keep the store's directory and the process id its owner wrote down."""
        super().__init__(
            f"the event store {path} is open in another process (id {owner or 'unknown'}); "
            "stop that one, or ask it through its API"
        )
        self.path = path
        self.owner = owner


class StoreTooNew(StoreError):
    """A later version of Waypost wrote this store."""

    def __init__(self, found: int, known: int) -> None:
        """Keep both migration numbers."""
        super().__init__(
            f"the event store is at migration {found}, this version of Waypost knows {known}; "
            "install the version that wrote it, or a later one"
        )
        self.found = found
        self.known = known


class StoreRefused(StoreError):
    """At least one of the rows cannot be held by this schema: a number too large, a text that is no Unicode.

    Nothing of the insert was written. Repeating it is of no use; without the row it goes through.
    """

    def __init__(self, operation: str, reason: str) -> None:
        """Keep what was tried and the client's own words."""
        super().__init__(f"event store, {operation}: {reason}")
        self.operation = operation
        self.reason = reason


class StoreFailed(StoreError):
    """The engine failed or could not be reached.

    Nothing is known of what was written: repeat the operation, every one of them may be repeated.
    """

    def __init__(self, operation: str, reason: str) -> None:
        """Keep what was tried and the engine's own words."""
        super().__init__(f"event store, {operation}: {reason}")
        self.operation = operation
        self.reason = reason
