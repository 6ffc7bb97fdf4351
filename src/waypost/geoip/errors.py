"""What can go wrong with databases of places.

GeoipError
├── DatabaseUnusable    a file is not there, or no database of places
└── DownloadFailed      a database could not be fetched
"""

from pathlib import Path


class GeoipError(Exception):
    """A database of places cannot be had; the message is for the operator."""


class DatabaseUnusable(GeoipError):
    """A file that holds no database of places."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be used: {reason}")
        self.path = path
        self.reason = reason


class DownloadFailed(GeoipError):
    """A database could not be fetched; what was there before still is."""

    def __init__(self, url: str, reason: str) -> None:
        """Keep the URL without its password."""
        super().__init__(f"{url}: {reason}")
        self.url = url
        self.reason = reason
