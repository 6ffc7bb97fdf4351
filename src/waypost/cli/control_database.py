"""How the commands of operators reach the control database, beside a running `waypost up` or without one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from waypost.cli.options import load_settings, not_there
from waypost.config import Settings
from waypost.control.accounts.service import find_account
from waypost.control.errors import ControlError, NotFoundError
from waypost.control.install import open_database
from waypost.db import SQLITE_FILE, Database, DatabaseError
from waypost.db.tables import Account


@contextmanager
def control_database(config: Path | None, data: Path) -> Iterator[tuple[Settings, Database]]:
    """The settings and the open control database; what is refused becomes a message and exit code 1.

    Raises:
        click.UsageError: the settings are wrong.
        click.ClickException: no database here, or the operation was refused.
    """
    settings = load_settings(config, data)
    if not _is_there(settings):
        # A mistyped directory must not become a second, empty install.
        raise not_there("there is no control database in", data)
    try:
        database = open_database(settings)
        try:
            yield settings, database
        finally:
            database.close()
    except ValidationError as error:
        raise click.ClickException(_sentence(error)) from error
    except (ControlError, DatabaseError) as error:
        raise click.ClickException(str(error)) from error
    except OperationalError as error:
        raise click.ClickException(f"the control database cannot be used: {error.orig}") from error


def has_control_database(config: Path | None, data: Path) -> bool:
    """Whether these settings name a control database; an edge on a machine of its own has none.

    Raises:
        click.UsageError: the settings are wrong.
    """
    return _is_there(load_settings(config, data))


def _is_there(settings: Settings) -> bool:
    return bool(settings.db.url) or (settings.data / SQLITE_FILE).exists()


def named_account(database: Database, id_or_email: str) -> Account:
    """The account that an operator named.

    Raises:
        click.ClickException: there is none; the message repeats the name, which may be mistyped.
    """
    try:
        return find_account(database, id_or_email)
    except NotFoundError as error:
        raise click.ClickException(f"{error}: {id_or_email}") from error


def _sentence(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
