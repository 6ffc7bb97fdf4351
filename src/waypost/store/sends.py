"""The records of sends that events are of."""

from collections.abc import Collection
from uuid import UUID

from waypost.store import queries
from waypost.store.columns import send_of
from waypost.store.reading import Reader
from waypost.store.rows import SendRow


def sends_of(reader: Reader, sends: Collection[tuple[int, UUID]]) -> dict[tuple[int, UUID], SendRow]:
    """By account and id, those that are there.

    Raises:
        StoreFailed: as `Reader.query`.
    """
    if not sends:
        return {}
    accounts, ids = {account for account, _ in sends}, {send_id.int for _, send_id in sends}
    found = reader.query("sends of events", queries.SENDS, accounts=sorted(accounts), sends=sorted(ids))
    return {(send.account, send.send_id): send for send in map(send_of, found)}
