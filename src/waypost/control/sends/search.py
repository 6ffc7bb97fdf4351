"""Finding sends by the beginnings of words."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.orm import Session

from waypost.control.sends.words import bucket_of, indexed, words_of
from waypost.db.tables import SearchEntry, Send

# A rare word is looked for in twice as many buckets at each step, up to this many: as many branches of one query.
MAX_BUCKETS_AT_ONCE = 256

_HITS = {
    # As a CTE of its own: the planner would otherwise walk the primary key backwards for the sake of the order.
    "postgresql": text(
        "WITH hits AS MATERIALIZED (SELECT number FROM search_entries WHERE words @@ CAST(:query AS tsquery)) "
        "SELECT number FROM hits WHERE number < :before ORDER BY number DESC LIMIT :count"
    ),
    "sqlite": text(
        "SELECT rowid FROM search_words WHERE search_words MATCH :query AND rowid < :before "
        "ORDER BY rowid DESC LIMIT :count"
    ),
}
# All that is in the index is of alphanumeric words and dots: nothing to be quoted.
_PREFIX = {"postgresql": "'{}':*", "sqlite": '"{}" *'}
_AND = {"postgresql": " & ", "sqlite": " AND "}
_OR = {"postgresql": " | ", "sqlite": " OR "}

_FOUND = (
    select(SearchEntry.number, Send)
    .join(Send, Send.send_id == SearchEntry.send_id)
    .where(SearchEntry.number.in_(bindparam("numbers", expanding=True)), Send.account == bindparam("account"))
    .order_by(SearchEntry.number.desc())
)


def entry_of(number: int, send: dict[str, Any]) -> dict[str, Any]:
    """The row by which a send is found.

    Args:
        number: of its delivery.
        send: the values of its row.
    """
    words = words_of(
        [send["recipient_email_address"], send["subject"], *send["tags"], send["send_id"].hex, send["send_key"]]
    )
    bucket = bucket_of(number)
    return {
        "number": number,
        "send_id": send["send_id"],
        "words": sorted(indexed(send["account"], bucket, word) for word in words),
    }


def search(
    session: Session, account: int, words: Sequence[str], *, before: int | None, limit: int
) -> list[tuple[int, Send]]:
    """Sends of an account that have a word beginning with each of `words`, newest first, each with its number.

    Args:
        session: of the control database.
        account: whose sends.
        words: as `wanted_words` gives them; at least one.
        before: only sends with a lower number; None: all.
        limit: at most so many.
    """
    oldest, newest = session.execute(select(func.min(SearchEntry.number), func.max(SearchEntry.number))).one()
    if newest is None:
        return []
    before = newest + 1 if before is None else min(before, newest + 1)
    dialect, numbers = session.get_bind().dialect.name, list[int]()
    bucket, at_once = bucket_of(before - 1), 1
    while bucket >= bucket_of(oldest) and len(numbers) < limit:
        lowest = max(bucket - at_once + 1, bucket_of(oldest))
        query = _query(dialect, account, words, range(lowest, bucket + 1))
        sought = {"query": query, "before": before, "count": limit - len(numbers)}
        numbers += session.scalars(_HITS[dialect], sought)
        bucket, at_once = lowest - 1, min(2 * at_once, MAX_BUCKETS_AT_ONCE)
    found = session.execute(_FOUND, {"numbers": numbers, "account": account}).all()
    return [(number, send) for number, send in found]


def _query(dialect: str, account: int, words: Sequence[str], buckets: Iterable[int]) -> str:
    branches = (
        _AND[dialect].join(_PREFIX[dialect].format(indexed(account, bucket, word)) for word in words)
        for bucket in buckets
    )
    return _OR[dialect].join(f"({branch})" for branch in branches)
