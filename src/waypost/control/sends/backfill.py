"""Makes the sends of a release that knew no search findable: newest first, a few at a time, beside everything else.

Those that can be found are always all from some number on: a send is accepted with its entry, and here the next older
ones get theirs. So where to go on is told by the oldest entry, and a restart loses nothing.
"""

import asyncio
import logging
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from waypost.control.sends.search import entry_of
from waypost.db import Database, insert_absent
from waypost.db.tables import Delivery, SearchEntry, Send
from waypost.telemetry.pause import pause

BATCH: Final = 500
"""Their transaction takes a tenth of a second: on SQLite a send that comes meanwhile waits for so long."""
PAUSE_SECONDS: Final = 0.2
"""Most of the time is others'; a million sends take a quarter of an hour."""
_TOLD_EVERY: Final = 100_000
_AGAIN_SECONDS: Final = 60.0

_log = logging.getLogger(__name__)


def index_some(database: Database, limit: int) -> int:
    """Make the newest sends findable that are not yet, `limit` at most; how many there were, 0 when all are."""
    with database.writing() as session:
        older = (
            select(Delivery.delivery_id, Send)
            .join(Send, Send.send_id == Delivery.send_id)
            .order_by(Delivery.delivery_id.desc())
            .limit(limit)
            # PostgreSQL: one that is just deleted is waited for, and one that is to be deleted waits.
            .with_for_update(read=True, key_share=True, of=Send)
        )
        oldest = _oldest_entry(session)
        if oldest is not None:
            older = older.where(Delivery.delivery_id < oldest)
        found = session.execute(older).all()
        entries = [entry_of(number, send.__dict__) for number, send in found]
        if entries:
            session.execute(insert_absent(session, SearchEntry), entries)
    return len(found)


def left(database: Database) -> int:
    """How many sends cannot be found yet, at most: numbers of deleted ones count too."""
    with database.reading() as session:
        first, last = session.execute(select(func.min(Delivery.delivery_id), func.max(Delivery.delivery_id))).one()
        if first is None:
            return 0
        oldest = _oldest_entry(session)
        return max(0, (last + 1 if oldest is None else oldest) - first)


async def run(database: Database, stop: asyncio.Event) -> None:
    """Go on until every send can be found or `stop` is set."""
    done = 0
    while not stop.is_set():
        try:
            if not done and (waiting := await asyncio.to_thread(left, database)):
                _log.info("about %d sends of an earlier release are being made findable by the search", waiting)
            indexed = await asyncio.to_thread(index_some, database, BATCH)
        except SQLAlchemyError as error:
            _log.error("earlier sends cannot be made findable now, and will be: %s", error)
            await pause(stop, _AGAIN_SECONDS)
            continue
        if not indexed:
            if done:
                _log.info("all %d sends of an earlier release can be found by the search", done)
            return
        done += indexed
        if done // _TOLD_EVERY > (done - indexed) // _TOLD_EVERY:
            _log.info("%d can be found, about %d are left", done, await asyncio.to_thread(left, database))
        await pause(stop, PAUSE_SECONDS)


def _oldest_entry(session: Session) -> int | None:
    return session.scalars(select(func.min(SearchEntry.number))).one()
