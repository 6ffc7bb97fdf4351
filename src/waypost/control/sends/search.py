"""Finding sends by the beginnings of words."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, bindparam, func, select, text
from sqlalchemy.orm import Session

from waypost.control.sends.words import BUCKET_SENDS, bucket_of, indexed, words_of
from waypost.db.tables import SearchEntry, Send

# A rare word is looked for in twice as many buckets at each step, up to this many.
MAX_BUCKETS_AT_ONCE = 256
# A word that fewer sends of the newest bucket have, less than one in 250, is rare.
RARE = 64
# How many are read at once.
PAGE = 128


@dataclass(frozen=True, slots=True)
class _Index:
    """How a database is asked. In its index are alphanumeric words and dots: nothing to be quoted."""

    prefix: str
    """The beginning of a word."""
    conjunction: str
    """Joins what one send must have."""
    hits: TextClause
    """The numbers of sends that have what one of `queries` asks for, below `before`, falling, `count` at most."""
    queries: Callable[[Iterable[str]], str | list[str]]
    """What `hits` takes for one question about each bucket."""
    settings: TextClause | None = None
    """To be set for the transaction."""


_INDEXES = {
    "postgresql": _Index(
        "'{}':*",
        " & ",
        # One look at the index for each bucket: in one question with many alternatives, each send found would be
        # compared with all of them. OFFSET 0: else the primary key may be walked backwards, for the sake of the order.
        text(
            "SELECT number FROM unnest(CAST(:queries AS text[])) AS asked(query) CROSS JOIN LATERAL "
            "(SELECT number FROM search_entries WHERE words @@ CAST(asked.query AS tsquery) OFFSET 0) AS hits "
            "WHERE number < :before ORDER BY number DESC LIMIT :count"
        ),
        list,
        # It thinks that any beginning is that of one word in 200: then reading the whole table may seem cheaper than
        # a hundred looks at the index, and compiling the query (50 ms) or other processes (40 ms) worth their while.
        text(
            "SELECT set_config(name, value, true) FROM (VALUES ('enable_seqscan', 'off'), ('jit', 'off'), "
            "('max_parallel_workers_per_gather', '0')) AS settings(name, value)"
        ),
    ),
    "sqlite": _Index(
        '"{}" *',
        " AND ",
        text(
            "SELECT rowid FROM search_words WHERE search_words MATCH :queries AND rowid < :before "
            "ORDER BY rowid DESC LIMIT :count"
        ),
        " OR ".join,
    ),
}

# Each by itself: SQLite looks both up only when they are not asked for together.
_ENDS = select(
    select(func.min(SearchEntry.number)).scalar_subquery(), select(func.max(SearchEntry.number)).scalar_subquery()
)
_FOUND = (
    select(SearchEntry.number, Send)
    .join(Send, Send.send_id == SearchEntry.send_id)
    .where(SearchEntry.number.in_(bindparam("numbers", expanding=True)))
    .order_by(SearchEntry.number.desc())
)


def entry_of(number: int, send: dict[str, Any]) -> dict[str, Any]:
    """The row by which a send is found.

    Args:
        number: of its delivery.
        send: the values of its row.
    """
    words = _words_of_send(
        send["recipient_email_address"], send["subject"], send["tags"], send["send_id"], send["send_key"]
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
    oldest, newest = session.execute(_ENDS).one()
    if newest is None:
        return []
    seeker = _Seeker(session, account)
    rare = seeker.rare(words, bucket_of(newest))
    before = newest + 1 if before is None else min(before, newest + 1)
    found: list[tuple[int, Send]] = []
    bucket, at_once = bucket_of(before - 1), 1
    while bucket >= bucket_of(oldest) and len(found) < limit:
        lowest = max(bucket - at_once + 1, bucket_of(oldest))
        hits = seeker.hits(rare, range(lowest, bucket + 1), before)
        found += itertools.islice(seeker.with_all(words, hits), limit - len(found))
        bucket, at_once = lowest - 1, min(2 * at_once, MAX_BUCKETS_AT_ONCE)
    return found


class _Seeker:
    """Asks the index about one account's words."""

    def __init__(self, session: Session, account: int) -> None:
        self._session = session
        self._account = account
        self._index = _INDEXES[session.get_bind().dialect.name]
        if self._index.settings is not None:
            session.execute(self._index.settings)

    def rare(self, words: Sequence[str], bucket: int) -> Sequence[str]:
        """Those of `words` that the index is to be asked for; all of them when all are common.

        It reads every entry of every beginning it is asked for, so a common word beside a rare one costs much and
        tells little: that one is looked for in what was found.
        """
        if len(words) == 1:
            return words
        counted = {word: len(self._page([word], [bucket], (bucket + 1) * BUCKET_SENDS, RARE)) for word in words}
        return [word for word, count in counted.items() if count < RARE] or words

    def hits(self, words: Sequence[str], buckets: Sequence[int], before: int) -> Iterator[int]:
        """Numbers of sends in these buckets that have all of `words`, falling."""
        while page := self._page(words, buckets, before, PAGE):
            yield from page
            if len(page) < PAGE:
                return
            before = page[-1]

    def with_all(self, words: Sequence[str], numbers: Iterator[int]) -> Iterator[tuple[int, Send]]:
        """Those of the sends that have all of `words`."""
        # As many at once as a page of the API has at least: most of what is found is wanted.
        while some := list(itertools.islice(numbers, PAGE)):
            for number, send in self._session.execute(_FOUND, {"numbers": some}):
                # The words in the index are of this account already. Said in SQL once more, it would lead SQLite to
                # read all of the account's sends.
                if send.account == self._account and _has_all(words, send):
                    yield number, send

    def _page(self, words: Sequence[str], buckets: Iterable[int], before: int, count: int) -> Sequence[int]:
        index = self._index
        asked = (
            f"({index.conjunction.join(index.prefix.format(indexed(self._account, bucket, word)) for word in words)})"
            for bucket in buckets
        )
        sought = {"queries": index.queries(asked), "before": before, "count": count}
        return self._session.scalars(index.hits, sought).all()


def _has_all(beginnings: Sequence[str], send: Send) -> bool:
    words = _words_of_send(send.recipient_email_address, send.subject, send.tags, send.send_id, send.send_key)
    return all(any(word.startswith(beginning) for word in words) for beginning in beginnings)


def _words_of_send(recipient: str, subject: str, tags: Iterable[str], send_id: UUID, send_key: str) -> set[str]:
    return words_of([recipient, subject, *tags, send_id.hex, send_key])
