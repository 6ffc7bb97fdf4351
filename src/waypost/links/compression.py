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
from collections.abc import Callable
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
_CODES: Final = {text: bytes([code]) for code, text in _TEXTS.items()}

_BY_START: Final[defaultdict[str, list[str]]] = defaultdict(list)
"""The substrings by their first two characters, so that few are tried at each place."""
for _substring in SUBSTRINGS:
    _BY_START[_substring[:2]].append(_substring)

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
    runs: re.Pattern[str]
    """Runs of three units and more; packing fewer saves nothing, as the code and the count take two bytes."""
    pack: Callable[[str], bytes]
    unpack: Callable[[bytes], str]


_PACKINGS: Final = (
    _Packing(0x00, 2, 1, re.compile(r"[0-9a-f]{6,}"), bytes.fromhex, bytes.hex),
    _Packing(
        0x80,
        4,
        3,
        re.compile(r"[A-Za-z0-9_-]{12,}"),
        lambda text: binascii.a2b_base64(text.encode("ascii").translate(_FROM_URL)),
        lambda data: binascii.b2a_base64(data, newline=False).translate(_TO_URL).decode("ascii"),
    ),
)

_Run = tuple[int, int, _Packing]
"""Where a packed run stops, how many bytes it takes, and its packing."""


@lru_cache(maxsize=1024)
def compress(text: str) -> bytes:
    """The shortest form there is, but for packed runs, which are always taken to their end.

    Found from the end of the text to its start, in time linear in its length. Kept for a while: messages repeat their
    own links and those of the message before.

    Raises:
        KeyError: a character outside RFC 3986.
    """
    size = len(text)
    runs = _packable_runs(text)
    costs = [0] * (size + 1)  # bytes for the text from here to its end
    steps: list[tuple[int, _Packing | None]] = [(0, None)] * size  # where the code written here stops
    for at in range(size - 1, -1, -1):
        cost, stop, packing = costs[at + 1] + 1, at + 1, None
        for substring in _BY_START.get(text[at : at + 2], ()):
            end = at + len(substring)
            if text.startswith(substring, at) and costs[end] + 1 < cost:
                cost, stop = costs[end] + 1, end
        for end, run_bytes, run_packing in runs.get(at, ()):
            if costs[end] + run_bytes < cost:
                cost, stop, packing = costs[end] + run_bytes, end, run_packing
        costs[at], steps[at] = cost, (stop, packing)

    out = bytearray()
    at = 0
    while at < size:
        stop, packing = steps[at]
        out += _CODES[text[at:stop]] if packing is None else _packed_run(text[at:stop], packing)
        at = stop
    return bytes(out)


def _packable_runs(text: str) -> dict[int, list[_Run]]:
    """The longest run of each packing from each place where there is one."""
    runs: defaultdict[int, list[_Run]] = defaultdict(list)
    for packing in _PACKINGS:
        for match in packing.runs.finditer(text):
            for start in range(match.start(), match.end() - packing.width + 1):
                units = min((match.end() - start) // packing.width, _MAX_UNITS)
                runs[start].append((start + units * packing.width, 2 + units * packing.packed, packing))
    return runs


def _packed_run(text: str, packing: _Packing) -> bytes:
    return _RUN + bytes([packing.flag | len(text) // packing.width]) + packing.pack(text)


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
