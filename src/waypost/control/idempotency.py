"""`Idempotency-Key`: what is asked twice is done once, and answered twice.

The answer is kept in the transaction that does what was asked. So there is no moment at which one is known without the
other, and of two requests at once the database lets one through: the other one is undone, and answers with what the
first one left.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from anyio import to_thread
from fastapi import Header
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy import bindparam, delete, select, tuple_
from sqlalchemy.orm import Session

from waypost.control.errors import ControlError, IdempotencyKeyUsedError
from waypost.control.sources import Sources
from waypost.db import Database, insert_absent
from waypost.db.tables import IdempotencyKey

KEPT: Final = timedelta(hours=24)
MAX_KEY_CHARACTERS: Final = 255
KEY: Final = re.compile(rf"[!-~]{{1,{MAX_KEY_CHARACTERS}}}")

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=MAX_KEY_CHARACTERS,
        pattern=r"^[!-~]+$",
        description="Extension. A name of your choice for this request, of visible ASCII characters. For 24 hours the "
        "same request with the same key is answered as the first time, and not done again; another request with it is "
        "refused.",
    ),
]


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request that came with a key.

    Attributes:
        account: whose key it is.
        key: the header.
        digest: of what was asked.
        status: of its answer.
    """

    account: int
    key: str
    digest: str
    status: int


Remembering = Sequence[tuple[KeyedRequest, Callable[[], BaseModel]]]
"""Requests, each with what makes its answer."""


_ANSWERED = select(IdempotencyKey.account, IdempotencyKey.key, IdempotencyKey.created_at).where(
    tuple_(IdempotencyKey.account, IdempotencyKey.key).in_(bindparam("keys", expanding=True))
)


class AnsweredError(Exception):
    """A request with this key was answered: nothing of this one may be kept, and that answer is there."""


class Answers:
    """What was answered to requests with a key.

    Args:
        sources: clock.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def given(self, session: Session, requests: Collection[KeyedRequest]) -> set[KeyedRequest]:
        """Those of the requests whose key was answered; a key that is older than 24 hours is free again."""
        if not requests:
            return set()
        oldest = _oldest(self._sources.now())
        keys = [(each.account, each.key) for each in requests]
        found = session.connection().execute(_ANSWERED, {"keys": keys}).all()
        if outworn := [(account, key) for account, key, created_at in found if created_at <= oldest]:
            of_these = tuple_(IdempotencyKey.account, IdempotencyKey.key).in_(outworn)
            session.execute(delete(IdempotencyKey).where(of_these, IdempotencyKey.created_at <= oldest))
        answered = {(account, key) for account, key, created_at in found if created_at > oldest}
        return {each for each in requests if (each.account, each.key) in answered}

    def remember(self, session: Session, remembering: Remembering) -> None:
        """Keep the answers to requests, in the transaction that does what they ask, once all of that is written.

        Raises:
            AnsweredError: one of them was answered meanwhile: nothing of this transaction may be kept.
        """
        if not remembering:
            return
        now = self._sources.now()
        rows = [
            {
                "account": request.account,
                "key": request.key,
                "request_digest": request.digest,
                "status": request.status,
                "answer": view_of().model_dump_json(),
                "created_at": now,
            }
            # In one order everywhere: two transactions with the same keys would wait for each other.
            for request, view_of in sorted(remembering, key=lambda each: (each[0].account, each[0].key))
        ]
        kept = session.execute(insert_absent(session, IdempotencyKey).returning(IdempotencyKey.key), rows)
        if len(kept.all()) < len(rows):
            raise AnsweredError


class Remember:
    """To be called in the transaction that does what was asked, with what makes its answer.

    Args:
        answers: where it is kept.
        request: None: it came without a key, and nothing is remembered.
    """

    def __init__(self, answers: Answers, request: KeyedRequest | None) -> None:
        self._answers = answers
        self.request = request

    def __call__(self, session: Session, view_of: Callable[[], BaseModel]) -> None:
        """Remember the answer.

        Raises:
            AnsweredError: a request with this key was answered: nothing of this transaction may be kept.
        """
        if self.request is None:
            return
        if self._answers.given(session, [self.request]):
            raise AnsweredError
        self._answers.remember(session, [(self.request, view_of)])


class Once:
    """Does a request once for each key of an account.

    Args:
        database: the control database.
        sources: clock.
        account: number of the one whose key it is.
        key: the header, or None: then every request is done.
    """

    def __init__(self, database: Database, sources: Sources, account: int, key: str | None) -> None:
        self._database = database
        self._sources = sources
        self._answers = Answers(sources)
        self._account = account
        self._key = key

    async def answer(
        self, route: str, asked: BaseModel, status: int, act: Callable[[Remember], Awaitable[BaseModel]]
    ) -> Response:
        """The answer to a request, done now or earlier.

        Args:
            route: what the request is for; a key stands for one request to one route.
            asked: the request's body.
            status: of the answer.
            act: does it, and calls what it is given with the answer, in its transaction.

        Raises:
            IdempotencyKeyUsedError: the key came with another request.
        """
        if self._key is None:
            return _json((await act(Remember(self._answers, None))).model_dump_json(), status)
        digest = await to_thread.run_sync(_digest, route, asked)
        request = KeyedRequest(self._account, self._key, digest, status)
        try:
            view = await act(Remember(self._answers, request))
        except (AnsweredError, ControlError):
            # Looked for only now: nearly every key is a new one. What would be refused today may have been done.
            earlier = await to_thread.run_sync(self._earlier, request)
            if earlier is None:
                raise
            return earlier
        return _json(view.model_dump_json(), status)

    def _earlier(self, request: KeyedRequest) -> Response | None:
        with self._database.reading() as session:
            kept = session.get(IdempotencyKey, (request.account, request.key))
        if kept is None or kept.created_at <= _oldest(self._sources.now()):
            return None
        if kept.request_digest != request.digest:
            raise IdempotencyKeyUsedError
        return _json(kept.answer, kept.status, replayed=True)


def delete_old_keys(database: Database, sources: Sources) -> None:
    """Forget requests of more than 24 hours ago."""
    with database.writing() as session:
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at <= _oldest(sources.now())))


def _oldest(now: datetime) -> datetime:
    return now - KEPT


def _digest(route: str, asked: BaseModel) -> str:
    # What was said, not what a later release would add to it by default. As ASCII, which half a surrogate pair has too.
    said = asked.model_dump(exclude_unset=True, warnings=False)
    return hashlib.sha256(f"{route}\n{json.dumps(said, sort_keys=True, default=_file)}".encode()).hexdigest()


def _file(content: bytes) -> str:
    """What stands for the bytes of a file."""
    return hashlib.sha256(content).hexdigest()


def _json(body: str, status: int, *, replayed: bool = False) -> Response:
    headers = {"Idempotent-Replayed": "true"} if replayed else None
    return Response(body, status, headers=headers, media_type="application/json")
