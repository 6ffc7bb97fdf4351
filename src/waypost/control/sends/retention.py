"""How long content is kept: what a message consisted of goes after its account's days, its sends stay.

A little at a time, each in a transaction of its own, so that nobody who sends waits long for one.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import Delete, Select, Update, delete, exists, select, update

from waypost.db import Database
from waypost.db.states import DeliveryState
from waypost.db.tables import Account, Content, Delivery, Report, Send

CONTENTS_AT_ONCE: Final = 100
"""With their files; a message is 10 MB at most, and few are."""
ROWS_AT_ONCE: Final = 1000
"""Rows that a transaction changes: 20 ms on SQLite, where whoever sends waits for it."""

Id = TypeVar("Id", int, UUID)

# It is needed for as long as somebody is to get it, which is for ever while an account is suspended.
_WAITING = exists().where(
    Send.content_id == Content.content_id,
    Delivery.send_id == Send.send_id,
    Delivery.state.in_((DeliveryState.QUEUED, DeliveryState.SENDING)),
)


def delete_old_contents(database: Database, now: datetime, default_days: int) -> Iterator[int]:
    """Delete content and reports whose time has passed, but for what is still to be delivered.

    Args:
        database: the control database.
        now: the present.
        default_days: how long content is kept of accounts that say nothing else.

    Yields:
        After each transaction, how many rows it changed.
    """
    yield from _find_owners(database)
    with database.reading() as session:
        days = session.execute(select(Account.number, Account.content_days)).all()
    for account, own_days in days:
        oldest = now - timedelta(days=default_days if own_days is None else own_days)
        yield from _delete_contents(database, account, oldest)
        yield from _delete_reports(database, account, oldest)


def _find_owners(database: Database) -> Iterator[int]:
    """Of a content that the release before has written, the account is known from its sends."""
    owner = select(Send.account).where(Send.content_id == Content.content_id).limit(1).scalar_subquery()
    unowned = select(Content.content_id).where(
        Content.account.is_(None), exists().where(Send.content_id == Content.content_id)
    )
    while contents := _read(database, unowned.limit(ROWS_AT_ONCE)):
        _write(database, update(Content).where(Content.content_id.in_(contents)).values(account=owner))
        yield len(contents)


def _delete_contents(database: Database, account: int, until: datetime) -> Iterator[int]:
    expired = (
        select(Content.content_id, Content.created_at)
        .where(Content.account == account, Content.created_at <= until, ~_WAITING)
        .order_by(Content.created_at)
        .limit(CONTENTS_AT_ONCE)
    )
    looked_at = None
    while True:
        # From where the last ones were: those that wait, perhaps a suspended account's million, are passed by once.
        later = expired if looked_at is None else expired.where(Content.created_at >= looked_at)
        with database.reading() as session:
            found = session.execute(later).all()
        if not found:
            return
        contents, looked_at = [content_id for content_id, _ in found], found[-1].created_at
        yield from _let_go(database, contents)
        _write(database, delete(Content).where(Content.content_id.in_(contents)))
        yield len(contents)


def _let_go(database: Database, contents: Sequence[int]) -> Iterator[int]:
    """Have no send refer to these: deleting one that a batch was sent with would change a thousand rows by itself."""
    holding = select(Send.send_id).where(Send.content_id.in_(contents)).limit(ROWS_AT_ONCE)
    while sends := _read(database, holding):
        _write(database, update(Send).where(Send.send_id.in_(sends)).values(content_id=None))
        yield len(sends)


def _delete_reports(database: Database, account: int, until: datetime) -> Iterator[int]:
    """Of earlier releases; those of this one go with the content."""
    expired = (
        select(Report.send_id)
        .join(Send, Send.send_id == Report.send_id)
        .where(Send.account == account, Report.created_at <= until)
        .limit(ROWS_AT_ONCE)
    )
    while reports := _read(database, expired):
        _write(database, delete(Report).where(Report.send_id.in_(reports)))
        yield len(reports)


def _read(database: Database, wanted: Select[Id]) -> Sequence[Id]:
    with database.reading() as session:
        return session.scalars(wanted).all()


def _write(database: Database, change: Update | Delete) -> None:
    with database.writing() as session:
        session.execute(change, execution_options={"synchronize_session": False})
