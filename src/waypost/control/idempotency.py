"""`Idempotency-Key`: what is asked twice is done once, and answered twice.

The answer is kept in the transaction that does what was asked. So there is no moment at which one is known without the
other, and of two requests at once the database lets one through: the other one is undone, and answers with what the
first one left.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from anyio import to_thread
from fastapi import Header
from fastapi.responses import Response
from pydantic import BaseModel
from sqlalchemy import delete
from sqlalchemy.orm import Session

from waypost.control.errors import IdempotencyKeyUsedError
from waypost.control.oauth.service import Principal
from waypost.control.sources import Sources
from waypost.db import Database, insert_new
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

Remember = Callable[[Session, Callable[[], BaseModel]], None]
"""To be called in the transaction that does what was asked, with what makes its answer."""


@dataclass(frozen=True, slots=True)
class _Request:
    account: int
    key: str
    digest: str


class _AnsweredMeanwhileError(Exception):
    """The same request was faster: what this one did is undone, and the other one's answer is there."""


class Once:
    """Does a request once for each key of an account.

    Args:
        database: the control database.
        sources: clock.
        principal: whose key it is.
        key: the header, or None: then every request is done.
    """

    def __init__(self, database: Database, sources: Sources, principal: Principal, key: str | None) -> None:
        self._database = database
        self._sources = sources
        self._account = principal.account.number
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
            return _json((await act(_nothing)).model_dump_json(), status)
        digest = await to_thread.run_sync(_digest, route, asked)
        request = _Request(self._account, self._key, digest)
        if earlier := await to_thread.run_sync(self._earlier, request):
            return earlier
        try:
            view = await act(lambda session, view_of: self._remember(session, request, status, view_of()))
        except _AnsweredMeanwhileError:
            meanwhile = await to_thread.run_sync(self._earlier, request)
            if meanwhile is None:
                raise
            return meanwhile
        return _json(view.model_dump_json(), status)

    def _earlier(self, request: _Request) -> Response | None:
        with self._database.reading() as session:
            kept = session.get(IdempotencyKey, (request.account, request.key))
        if kept is None or kept.created_at <= _oldest(self._sources.now()):
            return None
        if kept.request_digest != request.digest:
            raise IdempotencyKeyUsedError
        return _json(kept.answer, kept.status, replayed=True)

    def _remember(self, session: Session, request: _Request, status: int, view: BaseModel) -> None:
        now = self._sources.now()
        of_key = (IdempotencyKey.account == request.account, IdempotencyKey.key == request.key)
        session.execute(delete(IdempotencyKey).where(*of_key, IdempotencyKey.created_at <= _oldest(now)))
        row = IdempotencyKey(
            account=request.account,
            key=request.key,
            request_digest=request.digest,
            status=status,
            answer=view.model_dump_json(),
            created_at=now,
        )
        if insert_new(session, row) is None:
            raise _AnsweredMeanwhileError


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


def _nothing(_session: Session, _view_of: Callable[[], BaseModel]) -> None:
    """Without a key nothing is remembered."""
