"""By which words a send is found: pure, and the same when one is stored and when one is looked for.

A word in the index carries its account and its *bucket*, so that a search reads the words of one account, newest sends
first, and stops when it has enough: however many sends begin with "an", those of a bucket are few. See ADR 12.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

BUCKET_SENDS: Final = 1 << 14
"""A search for a common word reads one bucket, a search for a rare one looks into each: with a million sends 61."""
MAX_WORD_CHARACTERS: Final = 32
"""Longer words are found by their first characters; `send_id` and `send_key` fit."""

_WORD = re.compile(r"[^\W_]+")
# A send_id as it is written, whole or its beginning: it is one word, not five.
_ID = re.compile(r"^[0-9a-f]{8}-[0-9a-f-]{0,27}$")


def words_of(texts: Iterable[str]) -> set[str]:
    """The words of some texts, in the form in which they are compared."""
    return {word for text in texts for word in _words(text)}


def wanted_words(query: str) -> list[str]:
    """The beginnings of words that a search asks for, all of which a send must have; empty when it has none."""
    words: dict[str, None] = {}
    for term in _plain(query).split():
        found = [term.replace("-", "")] if _ID.match(term) else _words(term)
        words.update(dict.fromkeys(found))
    return list(words)


def bucket_of(number: int) -> int:
    """The bucket of a send's number."""
    return number // BUCKET_SENDS


def indexed(account: int, bucket: int, word: str) -> str:
    """A word as it stands in the index."""
    return f"{bucket:x}.{account:x}.{word}"


def _words(text: str) -> Iterator[str]:
    for found in _WORD.finditer(_plain(text)):
        yield found[0][:MAX_WORD_CHARACTERS]


def _plain(text: str) -> str:
    """Without differences of letter case and of how a letter is written."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
