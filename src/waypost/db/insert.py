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


def insert_absent(session: Session, kind: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that leaves out rows whose key, or another value that must be unique, is there already.

    A transaction that is just inserting such a row is waited for. Looking first and inserting then would let two
    through, of which the database refuses one with an error.
    """
    return _INSERTS[session.get_bind().dialect.name](kind).on_conflict_do_nothing()


def insert_new(session: Session, row: _Row) -> _Row | None:
    """Insert `row`; None when `insert_absent` leaves it out: then it is there, and a SELECT finds it.

    Args:
        session: of a `Database.writing()`.
        row: not added to a session.

    Returns:
        What was inserted, with its number.
    """
    kind = type(row)
    # A number that the database is to give is left out; other columns may hold NULL.
    values = {
        column.key: value
        for column in inspect(kind).column_attrs
        if (value := getattr(row, column.key)) is not None or not column.columns[0].primary_key
    }
    return session.scalars(insert_absent(session, kind).values(values).returning(kind)).one_or_none()
