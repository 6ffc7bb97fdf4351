"""Inserting what may be there already: of two writers at once one is first, and the other finds what that one left."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from waypost.db.tables import Base

_Row = TypeVar("_Row", bound=Base)

_INSERTS: Mapping[str, Callable[[type[Base]], postgresql.Insert | sqlite.Insert]] = {
    "postgresql": postgresql.insert,
    "sqlite": sqlite.insert,
}


def insert_new(session: Session, row: _Row) -> _Row | None:
    """Insert `row`; None when there is one with its key or with another value of it that must be unique.

    A transaction that is just inserting such a row is waited for, so that None means: it is there, and a SELECT finds
    it. Looking first and inserting then would let two through, of which the database refuses one with an error.

    Args:
        session: of a `Database.writing()`.
        row: not added to a session.

    Returns:
        What was inserted, with its number.
    """
    kind = type(row)
    columns = inspect(kind).column_attrs
    # A number that the database is to give is left out; other columns may hold NULL.
    values = {
        column.key: value
        for column in columns
        if (value := getattr(row, column.key)) is not None or not column.columns[0].primary_key
    }
    insert = _INSERTS[session.get_bind().dialect.name]
    return session.scalars(insert(kind).values(values).on_conflict_do_nothing().returning(kind)).one_or_none()
