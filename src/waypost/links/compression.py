"""Destinations, made short for tokens.

Every byte of the short form is a code:

    a character of RFC 3986     itself
    0x00                        a packed run: a count byte, then bytes that stand for text
                                  0x01-0x7f: so many bytes, as lower-case hexadecimal, two characters each
                                  0x81-0xff: count - 0x80 times three bytes, as base64url, four characters each
    any other                   one of the 170 entries of `url_codes`, in order

The short form is never longer than the text, is decoded in microseconds and to a stated length at most, and is the same
on every machine (what deflate and zstd write depends on the version of the library; tokens must not). Figures beside
brotli, zstd and deflate: docs/adr/0001-tokens.md.
"""

import binascii
import re
import string
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from waypost.links.url_codes import SUBSTRINGS

CHARACTERS: Final = string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()*+,;=%"
"""All that RFC 3986 knows: unreserved, gen-delims, sub-delims and the percent sign."""

_FREE_CODES: Final = [code for code in range(1, 256) if chr(code) not in CHARACTERS]
_TEXTS: Final = {ord(character): character for character in CHARACTERS} | dict(
    zip(_FREE_CODES, SUBSTRINGS, strict=True)
)
_CODES: Final = {text: chr(code) for code, text in _TEXTS.items()}
_TEXT: Final = re.compile(f"[{re.escape(CHARACTERS)}]*")


def _longest_of(texts: Iterable[str]) -> str:
    """A regular expression for the longest of these at a place: a trie, so that no character is looked at twice."""
    by_first: defaultdict[str, list[str]] = defaultdict(list)
    for text in texts:
        by_first[text[:1]].append(text[1:])
    ends_here = bool(by_first.pop("", None))
    if not by_first:
        return ""
    branches = "|".join(re.escape(first) + _longest_of(rest) for first, rest in by_first.items())
    return f"(?:{branches})" + "?" * ends_here


_SUBSTRING: Final = re.compile(_longest_of(SUBSTRINGS))

_RUN: Final = b"\0"
_MAX_UNITS: Final = 0x7F
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True)
class _Packing:
    """How a run of one alphabet is packed: each `width` characters become a unit of `packed` bytes."""

    flag: int
    width: int
    packed: int
    pack: Callable[[str], bytes]
    unpack: Callable[[bytes], str]


_PACKINGS: Final = (
    _Packing(0x00, 2, 1, bytes.fromhex, bytes.hex),
    _Packing(
        0x80,
        4,
        3,
        lambda text: binascii.a2b_base64(text.encode("ascii").translate(_FROM_URL)),
        lambda data: binascii.b2a_base64(data, newline=False).translate(_TO_URL).decode("ascii"),
    ),
)
# Four units and more, so that ordinary words, for which there may be a substring, are not taken apart.
_PACKABLE: Final = re.compile(r"([0-9a-f]{8,})|([A-Za-z0-9_-]{16,})")


@lru_cache(maxsize=1024)
def compress(text: str) -> bytes:
    """A short form: the longest substring at each place, and runs packed where that is shorter.

    Kept for a while: messages repeat their own links and those of the message before. The shortest form there is would
    save another hundredth, and take five times as long to find.

    Raises:
        ValueError: a character outside RFC 3986.
    """
    if not _TEXT.fullmatch(text):
        raise ValueError("a character outside RFC 3986")
    pieces: list[bytes] = []
    at = 0
    for run in _PACKABLE.finditer(text):
        packing = _PACKINGS[run.lastindex == 2]  # noqa: PLR2004 -- the group
        pieces += (_substitute(text[at : run.start()]), min(_substitute(run[0]), _packed(run[0], packing), key=len))
        at = run.end()
    pieces.append(_substitute(text[at:]))
    return b"".join(pieces)


def _substitute(text: str) -> bytes:
    return _SUBSTRING.sub(_code, text).encode("latin-1")


def _code(match: re.Match[str]) -> str:
    return _CODES[match[0]]


def _packed(text: str, packing: _Packing) -> bytes:
    rest = len(text) - len(text) % packing.width
    most = _MAX_UNITS * packing.width
    runs = [text[at : min(at + most, rest)] for at in range(0, rest, most)]
    counted = [_RUN + bytes([packing.flag | len(run) // packing.width]) + packing.pack(run) for run in runs]
    return b"".join((*counted, _substitute(text[rest:])))


def decompress(data: bytes, limit: int) -> str:
    """The text of a short form.

    Args:
        data: what `compress` wrote.
        limit: most characters the text may have.

    Raises:
        ValueError: not a short form, or of a longer text. At most 17 times the data is ever built.
    """
    pieces: list[str] = []
    while True:
        codes, run, data = data.partition(_RUN)
        pieces += map(_TEXTS.__getitem__, codes)
        if not run:
            break
        if not data:
            raise ValueError("the count of a run is missing")
        packing = _PACKINGS[data[0] >= _PACKINGS[1].flag]
        end = 1 + (data[0] & _MAX_UNITS) * packing.packed
        if not 1 < end <= len(data):
            raise ValueError("a run is empty or cut short")
        pieces.append(packing.unpack(data[1:end]))
        data = data[end:]
    text = "".join(pieces)
    if len(text) > limit:
        raise ValueError(f"more than {limit} characters")
    return text
