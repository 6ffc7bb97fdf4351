"""Who stands behind access tokens, read at each request: for as many requests at once as there are."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, select

from waypost.db import Database
from waypost.db.tables import Account, ApiKey, AuthSession
from waypost.db.together import Together

# More than there are sessions in use at the same time, on most installs; SQL takes thousands.
REQUESTS_TOGETHER = 256

# As many as there are tokens whose signature is remembered.
REMEMBERED_SESSIONS = 1024

NOT_REVOKED = (AuthSession.revoked_at.is_(None), ApiKey.revoked_at.is_(None))

# Run at each request, and made once: putting a statement together takes longer than SQLite takes to answer it.
_LIVE = (
    select(AuthSession.public_id, ApiKey, Account)
    .join(ApiKey, AuthSession.api_key == ApiKey.number)
    .join(Account, ApiKey.account == Account.number)
    .where(AuthSession.public_id.in_(bindparam("session_ids", expanding=True)), *NOT_REVOKED)
)


class Sessions:
    """The sessions that have not ended, each with its key and account.

    Requests that come while one is looked up are looked up together, after it: what a request is answered with was read
    after it came, so that revoking and suspending work at once.

    Args:
        database: the control database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together = Together(self._find, REQUESTS_TOGETHER)
        self._found: dict[UUID, tuple[ApiKey, Account]] = {}

    async def find(self, session_id: UUID) -> tuple[ApiKey, Account] | None:
        """Key and account of a session; None when it, or its key, was revoked."""
        found = await self._together.do(session_id)
        if found is None:
            self._found.pop(session_id, None)
            return None
        if len(self._found) >= REMEMBERED_SESSIONS:
            self._found.clear()
        self._found[session_id] = found
        return found

    def found_before(self, session_id: UUID) -> tuple[ApiKey, Account] | None:
        """Key and account of a session as an earlier request found them: both may have changed since."""
        return self._found.get(session_id)

    def _find(self, session_ids: Sequence[UUID]) -> list[tuple[ApiKey, Account] | None]:
        with self._database.reading() as session:
            rows = session.execute(_LIVE, {"session_ids": list(set(session_ids))})
            found = {session_id: (api_key, account) for session_id, api_key, account in rows}
        return [found.get(session_id) for session_id in session_ids]
