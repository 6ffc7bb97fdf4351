"""Publishing at once what a command has changed: so it is in force with the core down as well."""

from datetime import UTC, datetime
from functools import partial

import click

from waypost.config import Settings
from waypost.control.publishing.service import Publisher
from waypost.db import ControlKeyError, Database, load_control_key
from waypost.db.pseudonym import pseudonym
from waypost.keyfile import KeyfileError, KeyringOutdated, keyring_path, load_keyring


def publish(settings: Settings, database: Database) -> str:
    """Write the snapshot file of this data directory; what is to be said of when the change is in force.

    Raises:
        click.ClickException: the keyring is an old copy, with which no core would start either.
    """
    try:
        keyring = load_keyring(keyring_path(settings.data))
        names = partial(pseudonym, load_control_key(settings.data))
        Publisher(settings, database, lambda: keyring, lambda: datetime.now(UTC), pseudonym=names).publish()
    except KeyringOutdated as error:
        raise click.ClickException(f"The change is kept, and not published from here. {error}") from error
    except (KeyfileError, ControlKeyError) as error:
        return f"It is kept, and not published from here: {error} A running core publishes it within a second."
    return "It is in force here within a second, and within five on edges elsewhere that reach the core."
