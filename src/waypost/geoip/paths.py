"""Which files and which sources the settings mean."""

from pathlib import Path

from waypost.config.settings import Settings


def database_paths(settings: Settings) -> list[Path]:
    """The databases, in the order in which they are asked."""
    return [settings.data / name for name in settings.geoip.databases]
