"""Edges on machines of their own: which there are, and what they say they hold."""

import hashlib
from collections.abc import Sequence

import msgspec
from sqlalchemy import select

from waypost.control.edges.schema import NewEdge
from waypost.control.errors import BearerInvalidError, ConflictError, NotFoundError
from waypost.control.sources import Sources
from waypost.db import Database, insert_new
from waypost.db.tables import Edge
from waypost.fleet.courier import CREDENTIAL_PREFIX, Report
from waypost.links.keyring import Key, Keyring


def add_edge(database: Database, sources: Sources, new: NewEdge) -> str:
    """Register an edge; its credential, which cannot be had again.

    Raises:
        ConflictError: there is one of that name.
    """
    credential = CREDENTIAL_PREFIX + sources.token()
    with database.writing() as session:
        edge = Edge(name=new.name, credential_hash=_hash(credential), created_at=sources.now())
        if insert_new(session, edge) is None:
            raise ConflictError(f"name: there is an edge {new.name} already; `waypost edges remove` makes room")
    return credential


def list_edges(database: Database) -> Sequence[Edge]:
    """Every registered edge, by name."""
    with database.reading() as session:
        return session.scalars(select(Edge).order_by(Edge.name)).all()


def remove_edge(database: Database, name: str) -> None:
    """Forget an edge: its credential ends at once, and no key waits for it.

    Raises:
        NotFoundError: there is none of that name.
    """
    with database.writing() as session:
        edge = session.get(Edge, name)
        if edge is None:
            raise NotFoundError("edge")
        session.delete(edge)


def edge_of(database: Database, credential: str) -> Edge:
    """The edge that a credential belongs to.

    Raises:
        BearerInvalidError: to none.
    """
    with database.reading() as session:
        edge = session.scalars(select(Edge).where(Edge.credential_hash == _hash(credential))).one_or_none()
    if edge is None:
        raise BearerInvalidError
    return edge


def record_report(database: Database, sources: Sources, name: str, report: Report) -> None:
    """Keep what an edge says of itself.

    Raises:
        NotFoundError: it has been removed meanwhile.
    """
    with database.writing() as session:
        edge = session.get(Edge, name)
        if edge is None:
            raise NotFoundError("edge")
        edge.report, edge.last_seen_at = msgspec.to_builtins(report), sources.now()


def report_of(edge: Edge) -> Report | None:
    """What an edge said last; None: nothing yet."""
    return None if edge.report is None else msgspec.convert(edge.report, Report)


def edges_without(database: Database, key: Key) -> list[str]:
    """What is to be said of each registered edge that does not open tokens of a key yet."""
    lacking = []
    for edge in list_edges(database):
        report = report_of(edge)
        if report is None or not report.workers:
            lacking.append(f"edge {edge.name} has not said which keys it holds")
        elif not report.holds(key.key_id, key.fingerprint):
            lacking.append(f"edge {edge.name} does not hold it (last heard {edge.last_seen_at:%Y-%m-%d %H:%M:%S})")
    return lacking


def edges_beyond(database: Database, keyring: Keyring) -> list[str]:
    """What is to be said of each registered edge that holds a key which this keyring lacks."""
    known = {(key.key_id, key.fingerprint) for key in keyring.keys}
    found = []
    for edge in list_edges(database):
        report = report_of(edge)
        more = [key for key in report.keys if (key.key_id, key.fingerprint) not in known] if report else []
        if more:
            found.append(f"edge {edge.name} holds key {', '.join(str(key.key_id) for key in more)}")
    return found


def _hash(credential: str) -> str:
    """Of 256 random bits: a slow hash would add nothing."""
    return hashlib.sha256(credential.encode()).hexdigest()
