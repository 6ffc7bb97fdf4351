"""Every trace of some sends in the control database, and the way to purge its files of them."""

import json
from collections import Counter
from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from waypost.db.engine import Database
from waypost.db.tables import Content, Delivery, IdempotencyKey, Outbox, SearchEntry, Send, WebhookNotice

PURPOSE: Final = "address to be erased"
"""Of `Erasure.sealed_address`."""
# Rows of one transaction: whoever sends waits for it.
AT_ONCE: Final = 500
_KEPT_OF_AN_ANSWER: Final = frozenset({"index", "state", "state_category", "sending_profile_id", "created_at_utc"})


def sends_to(session: Session, address: str, account: int | None) -> list[tuple[int, UUID]]:
    """Account and id of every send to an address, whatever the case of its letters; of an account, or of all."""
    wanted = select(Send.account, Send.send_id).where(func.lower(Send.recipient_email_address) == address.lower())
    found = session.execute(wanted if account is None else wanted.where(Send.account == account))
    return [(number, send_id) for number, send_id in found]


def erase_sends(
    session: Session, send_ids: Collection[UUID], pseudonyms: Collection[UUID], address: str
) -> Counter[str]:
    """Delete sends with all that hangs on them: what is still queued is never sent. Counts rows by table.

    A content that other recipients share stays, without the address among those whom its header names. Notices for
    webhooks go by the pseudonyms of the sends, too.
    """
    counts, shared = delete_sends(session, send_ids, pseudonyms)
    for content in session.scalars(select(Content).where(Content.content_id.in_(shared))):
        _take_out(content, address.lower())
    return counts


def delete_sends(
    session: Session, send_ids: Collection[UUID], pseudonyms: Collection[UUID] = ()
) -> tuple[Counter[str], Collection[int]]:
    """Delete sends with all that hangs on them. Returns the number of rows by table, and contents that others share."""
    counts: Counter[str] = Counter()
    mine = Send.send_id.in_(send_ids)
    contents = set(session.scalars(select(Send.content_id).where(mine, Send.content_id.is_not(None))))
    for table, column in ((Delivery, Delivery.send_id), (SearchEntry, SearchEntry.send_id), (Send, Send.send_id)):
        gone = session.execute(delete(table).where(column.in_(send_ids)).returning(column))
        counts[table.__tablename__] += len(gone.all())
    notices = delete(WebhookNotice).where(WebhookNotice.send_id.in_([*send_ids, *pseudonyms]))
    counts["webhook_notices"] += len(session.execute(notices.returning(WebhookNotice.number)).all())
    shared = set(session.scalars(select(Send.content_id).where(Send.content_id.in_(contents))))
    gone = session.execute(
        delete(Content).where(Content.content_id.in_(contents - shared)).returning(Content.content_id)
    )
    counts["contents"] += len(gone.all())
    return counts, {content_id for content_id in shared if content_id is not None}


def _take_out(content: Content, address: str) -> None:
    if content.addressees is not None:
        content.addressees = {
            field: [[name, named] for name, named in pairs if named.lower() != address]
            for field, pairs in content.addressees.items()
        }


def erase_facts(session: Session, send_ids: Collection[UUID]) -> int:
    """Delete what is on its way to the event store, which has few rows; returns how many."""
    ids = {str(send_id) for send_id in send_ids}
    rows = session.execute(select(Outbox.outbox_id, Outbox.payload)).all()
    mine = [number for number, payload in rows if payload.get("send_id") in ids]
    for at in range(0, len(mine), AT_ONCE):
        session.execute(delete(Outbox).where(Outbox.outbox_id.in_(mine[at : at + AT_ONCE])))
    return len(mine)


def erase_answers(session: Session, address: str, send_ids: Collection[UUID], account: int | None) -> int:
    """Blank her in the answers that are kept for repeated requests: each stays, so that nothing is sent twice."""
    ids = {str(send_id) for send_id in send_ids}
    kept = select(IdempotencyKey.account, IdempotencyKey.key, IdempotencyKey.answer)
    changed = 0
    found = session.execute(kept if account is None else kept.where(IdempotencyKey.account == account))
    for number, key, answer in found.all():
        blanked = json.dumps(_blanked(json.loads(answer), address.lower(), ids), ensure_ascii=False)
        if json.loads(blanked) != json.loads(answer):
            of_key = (IdempotencyKey.account == number, IdempotencyKey.key == key)
            session.execute(update(IdempotencyKey).where(*of_key).values(answer=blanked))
            changed += 1
    return changed


def _blanked(value: Any, address: str, ids: Collection[str]) -> Any:  # noqa: ANN401 -- any JSON
    if isinstance(value, list):
        return [_blanked(each, address, ids) for each in value]
    if not isinstance(value, dict):
        return value
    named = value.get("recipient_email_address")
    if value.get("send_id") in ids or (isinstance(named, str) and named.lower() == address):
        return {name: each if name in _KEPT_OF_AN_ANSWER else _nothing(each) for name, each in value.items()}
    return {name: _blanked(each, address, ids) for name, each in value.items()}


def _nothing(value: Any) -> Any:  # noqa: ANN401 -- any JSON
    """Of the same kind, as far as there is one."""
    empty: dict[type, Any] = {str: "", list: [], dict: None}
    return empty.get(type(value), value)


def purge(database: Database) -> bool:
    """Take what was deleted out of free pages and the log. False: somebody reads the log, it is to be tried again.

    SQLite writes the file anew, and waits for whoever writes; PostgreSQL frees the rows beside its other work, and
    overwrites their bytes and its log as it goes on.
    """
    if database.engine.dialect.name == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM"))
        return True
    pooled = database.engine.raw_connection()
    try:
        driver: Any = pooled.driver_connection
        driver.isolation_level = None  # VACUUM runs in no transaction
        cursor = driver.cursor()
        # Words of deleted rows stand in older parts of the index until these are merged.
        cursor.execute("INSERT INTO search_words (search_words) VALUES ('optimize')")
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [busy, *_] = cursor.fetchall()[0]
        return not busy
    finally:
        pooled.close()
