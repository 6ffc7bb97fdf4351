"""`waypost config`: what the settings are, and whether they are right."""

import os
from pathlib import Path

import click

from waypost.cli.options import config_option
from waypost.config import ConfigError, Setting, effective


@click.group()
def config() -> None:
    """Show or check the settings.

    Defaults are overridden by one file (--config), and both by the environment: WAYPOST_EDGE__WORKERS=2 sets
    edge.workers.
    """


@config.command()
@config_option
def show(config: Path | None) -> None:
    """Print every setting, its value and where it comes from. Secrets print as ***."""
    settings = _effective(config)
    key_width, value_width = (
        max(len(text) for text in column)
        for column in ([setting.key for setting in settings], [_toml(setting.value) for setting in settings])
    )
    for setting in settings:
        click.echo(f"{setting.key:{key_width}} = {_toml(setting.value):{value_width}}  # {setting.origin}")


@config.command()
@config_option
def check(config: Path | None) -> None:
    """Check the settings; list everything that is wrong and exit with 2."""
    changed = sum(setting.origin != "default" for setting in _effective(config))
    click.echo(f"The settings are right ({changed} changed from the defaults).")


def _effective(path: Path | None) -> list[Setting]:
    try:
        return effective(path, os.environ)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error


def _toml(value: object) -> str:
    match value:
        case bool() | int() | float():
            return str(value)
        case tuple():
            return f"[{', '.join(_toml(item) for item in value)}]"
        case _:
            return f'"{value}"'
