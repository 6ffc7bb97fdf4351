"""Options that several commands share, and the settings they lead to."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from waypost.config import ConfigError, Settings, load

_Command = TypeVar("_Command", bound=Callable[..., object])

DEFAULT_DATA = Path("waypost-data")


def data_option(command: _Command) -> _Command:
    """--data DIR, as `data: Path`."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_DATA,
        envvar="WAYPOST_DATA",
        show_envvar=True,
        metavar="DIR",
        # Not show_default: click would write it with parentheses.
        help=f"Keys, databases, spool.  [default: ./{DEFAULT_DATA}]",
    )(command)


def config_option(command: _Command) -> _Command:
    """--config FILE, as `config: Path | None`."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="WAYPOST_CONFIG",
        show_envvar=True,
        metavar="FILE",
        help="Settings file, in TOML; `waypost config defaults` prints one that explains every setting.",
    )(command)


def keyring_option(command: _Command) -> _Command:
    """--keyring FILE, as `keyring_file: Path | None`."""
    return click.option(
        "--keyring",
        "keyring_file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="A keyring file, instead of the one in the data directory.",
    )(command)


def not_there(what: str, data: Path) -> click.ClickException:
    """The error of a command that came too early, or was led to a directory that is not that of the install.

    Args:
        what: is missing, in words that go before the directory.
        data: the directory.
    """
    return click.ClickException(
        f"{what} {data}: start `waypost up --data {data}` first, or name its directory with --data"
    )


def load_settings(config: Path | None, data: Path) -> Settings:
    """The settings of this process.

    Raises:
        click.UsageError: the settings are wrong; the message lists every problem.
    """
    try:
        return load(config, os.environ, data)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
