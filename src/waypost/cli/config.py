"""`waypost config`: what the settings are, what they mean, and whether they are right."""

import os
from pathlib import Path
from typing import Final

import click

from waypost.cli.options import config_option
from waypost.config import ConfigError, Setting, defaults_toml, effective

_VALUE_CHARACTERS: Final = 24
"""Nearly every value is shorter. A longer one, such as a URL, moves what comes after it on its own line only."""


@click.group()
def config() -> None:
    """Show, explain or check the settings.

    Defaults are overridden by one file in TOML (--config), and both by the environment: WAYPOST_SECTION__KEY sets
    section.key, as WAYPOST_EDGE__WORKERS=2 sets edge.workers. A list has commas there, and no brackets.
    """


@config.command()
@config_option
def show(config: Path | None) -> None:
    """Print every setting, its value and where it comes from. Secrets print as ***.

    What each one means: `waypost config defaults`.
    """
    settings = _effective(config)
    key_width = max(len(setting.key) for setting in settings)
    for setting in settings:
        click.echo(f"{setting.key:{key_width}} = {_toml(setting.value):{_VALUE_CHARACTERS}}  # {setting.origin}")


@config.command()
def defaults() -> None:
    """Print every setting with its default and what it means, in TOML.

    To begin a file of your own: `waypost config defaults > waypost.toml`, and keep what you change.
    """
    click.echo(defaults_toml(), nl=False)


@config.command()
@config_option
def check(config: Path | None) -> None:
    """Check the settings; list everything that is wrong and exit with 2."""
    default = {setting.key: setting.value for setting in effective(None, {})}
    changed = sum(setting.value != default[setting.key] for setting in _effective(config))
    click.echo(f"The settings are right ({changed} changed from the defaults).")


def _effective(path: Path | None) -> list[Setting]:
    try:
        return effective(path, os.environ)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case tuple():
            return f"[{', '.join(_toml(item) for item in value)}]"
        case _:
            return f'"{value}"'
