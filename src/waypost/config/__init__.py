"""Settings: defaults.toml < one file < environment, parsed once at a process's start into frozen objects.

>>> settings = load(None, {"WAYPOST_EDGE__WORKERS": "2"}, pathlib.Path("waypost-data"))
>>> settings.edge.workers
2
"""

from waypost.config.errors import ConfigError, ConfigFileError, InvalidSettings
from waypost.config.load import Setting, defaults_toml, effective, load
from waypost.config.settings import (
    ControlSettings,
    DbSettings,
    Durability,
    EdgeSettings,
    ForwardedHeader,
    GeoipSettings,
    LinksSettings,
    MailSettings,
    PipelineSettings,
    Settings,
    SpoolSettings,
    StartTls,
    StoreSettings,
)
from waypost.config.values import HostPort, Network, Secret, SecretUrl

__all__ = [
    "ConfigError",
    "ConfigFileError",
    "ControlSettings",
    "DbSettings",
    "Durability",
    "EdgeSettings",
    "ForwardedHeader",
    "GeoipSettings",
    "HostPort",
    "InvalidSettings",
    "LinksSettings",
    "MailSettings",
    "Network",
    "PipelineSettings",
    "Secret",
    "SecretUrl",
    "Setting",
    "Settings",
    "SpoolSettings",
    "StartTls",
    "StoreSettings",
    "defaults_toml",
    "effective",
    "load",
]
