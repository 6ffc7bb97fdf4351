"""What mail programs do to links, and how it is undone: tried only after the strict form of a link has failed.

Nothing is guessed: whatever comes out must open as a token, so a repair can give a reader back her link and nobody
another one.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from waypost.links.token import MAX_TOKEN_CHARACTERS

_PATH_MAX: Final = 5 * MAX_TOKEN_CHARACTERS
"""Encoded twice, a character takes five."""


class Damage(NamedTuple):
    """Something done to a link.

    Attributes:
        name: for the documentation and the tests.
        pattern: what it leaves in the path, percent-decoded.
        undone: what stood there before.
    """

    name: str
    pattern: re.Pattern[str]
    undone: str


DAMAGES: Final = (
    Damage("a soft line break of quoted-printable", re.compile(r"=[ \t]{0,8}\r?\n"), ""),
    Damage("blanks and line breaks of a wrapped line", re.compile(r"\s"), ""),
    Damage(
        "invisible characters: soft hyphen, zero width, byte order mark",
        re.compile("[\xad\u200b-\u200f\u2060\ufeff]"),
        "",
    ),
    Damage("a typographic hyphen or dash for a plain one", re.compile("[\u2010-\u2015\u2212]"), "-"),
    Damage("a doubled slash", re.compile("//+"), "/"),
)
"""Undone in this order, everywhere in the path. Percent-encoding, once or twice, is undone before; a route in capitals,
and whatever follows the token (punctuation, quotes, brackets, `&utm_source=…`), is by `_TOKEN`."""

_TOKEN: Final = re.compile(r"/(?P<route>c|o|where)/(?P<text>[A-Za-z0-9_=-]+)", re.IGNORECASE)


class Candidate(NamedTuple):
    """What may have been meant."""

    route: str
    """`c`, `o` or `where`."""
    token: str


def candidates(path: str) -> Iterator[Candidate]:
    """What a damaged path may have been, likeliest first: four at most.

    Args:
        path: of the request target, as Latin-1.
    """
    raw = path[:_PATH_MAX].encode("latin-1")
    for _ in range(2):
        raw = unquote_to_bytes(raw)
    text = raw.decode("utf-8", "ignore")
    for damage in DAMAGES:
        text = damage.pattern.sub(damage.undone, text)
    match = _TOKEN.match(text)
    if match is None:
        return
    route, found = match["route"].lower(), match["text"]
    # A = is left by a soft break that lost its line end, or begins what was appended (=20, a blank).
    whole, before = found.replace("=", ""), found.partition("=")[0]
    seen = set()
    # A dash or underscore at the end may be the text's around it.
    for token in (whole, before, whole[:-1] if whole[-1:] in {"-", "_"} else whole, whole.rstrip("-_")):
        if token and token not in seen:
            seen.add(token)
            yield Candidate(route, token)
