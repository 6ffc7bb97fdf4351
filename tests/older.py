"""A control database as an older release left it."""

from pathlib import Path

from alembic import command
from alembic.config import Config

import waypost.db


def make_older(database, revision, fill):
    """Migrate an empty database up to `revision`, and call `fill` with a connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(waypost.db.__file__).parent / "migrations"))
    with database.engine.connect().execution_options(writes=True) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        fill(connection)
        connection.commit()
