"""What the control plane does by itself as time passes, once an hour."""

import asyncio
import logging
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from waypost.control.idempotency import delete_old_keys
from waypost.control.keys.service import revoke_idle_keys
from waypost.control.oauth.service import delete_expired_sessions
from waypost.control.sends.retention import delete_old_contents
from waypost.control.sources import Sources
from waypost.db import Database
from waypost.telemetry.pause import pause

# Limits are of hours and days, and each is also checked where it matters: this only keeps lists true and tables small.
PERIOD_SECONDS: Final = 3600
# Between transactions that delete, which take about as long: half of the time is left to those who send.
_BREATH_SECONDS: Final = 0.02

_log = logging.getLogger(__name__)


def clean(database: Database, sources: Sources) -> None:
    """Do all of it once; doing it twice changes nothing.

    Raises:
        SQLAlchemyError: the database cannot be used.
    """
    if revoked := revoke_idle_keys(database, sources):
        _log.info("%d API keys that nobody used are revoked", revoked)
    delete_expired_sessions(database, sources)
    delete_old_keys(database, sources)


async def keep_house(database: Database, sources: Sources, content_days: int, stop: asyncio.Event) -> None:
    """Clean at once and then every hour, until `stop` is set.

    Args:
        database: the control database.
        sources: clock.
        content_days: the setting `control.content_days`.
        stop: ends it, between two transactions.
    """
    while not stop.is_set():
        try:
            await asyncio.to_thread(clean, database, sources)
            await _delete_contents(database, sources, content_days, stop)
        except SQLAlchemyError as error:
            _log.error("the control database could not be cleaned and will be again in an hour: %s", error)
        await pause(stop, PERIOD_SECONDS)


async def _delete_contents(database: Database, sources: Sources, content_days: int, stop: asyncio.Event) -> None:
    changes = delete_old_contents(database, sources.now(), content_days)
    changed = 0
    while not stop.is_set() and (rows := await asyncio.to_thread(next, changes, None)) is not None:
        changed += rows
        await asyncio.sleep(_BREATH_SECONDS)
    if changed:
        _log.info("content and reports of which the time has passed are deleted: %d rows changed", changed)
