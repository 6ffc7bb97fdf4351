"""Header fields (RFC 5322) and encoded words (RFC 2047).

Written here because the standard library's folding is not safe on every Python we run on: on Debian 12 it unquotes
commas in folded display names (CVE-2025-1795) and folds newlines into headers (CVE-2024-6923), and
`email.header.Header` drops U+0085 and U+2028.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator

from waypost.mime.errors import ForbiddenCharacterError

LINE_LENGTH = 76
"""RFC 2047, section 2, for lines with encoded words; RFC 5322 asks for at most 78 of all others."""

MAX_LITERAL = 900
"""Longest value for `literal()`: with a name of `MAX_FIELD_NAME` beside it a line holds less than 998 (RFC 5322)."""
MAX_FIELD_NAME = 76

_ENCODED_WORD_LENGTH = 75  # RFC 2047, section 2
_FORBIDDEN = re.compile("[\r\n\0\ud800-\udfff]")
_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_QUOTABLE = re.compile(r"[ -~]+")
# RFC 2047, section 5 (3): what an encoded word may hold literally even inside a display name.
_Q_LITERAL = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q_TABLE = [chr(byte) if byte in _Q_LITERAL else "_" if byte == ord(" ") else f"={byte:02X}" for byte in range(256)]


def reject_forbidden(field: str, value: str) -> None:
    """Refuse what would end a header line or cannot be encoded: the last guard against header injection.

    Raises:
        ForbiddenCharacterError: the value holds CR, LF, NUL or a lone surrogate.
    """
    if found := _FORBIDDEN.search(value):
        raise ForbiddenCharacterError(field, value, found.start())


def unstructured(name: str, value: str) -> str:
    """A field of free text, such as Subject, folded, without its final CRLF.

    ASCII text stays readable; anything a parser would change (other scripts, spaces at the ends, a word longer than
    a line, text that looks encoded already) goes into encoded words.

    Raises:
        ForbiddenCharacterError: the value holds CR, LF, NUL or a lone surrogate.
    """
    reject_forbidden(name, value)
    room = first_line_room(name)
    if not value:
        return structured(name, ())
    if _PLAIN.fullmatch(value) and "=?" not in value and max(map(len, value.split(" "))) <= room:
        return structured(name, value.split(" "))
    return structured(name, encoded_words(value, room))


def literal(name: str, value: str) -> str:
    """A field whose grammar we do not know: ASCII stays as it is written, folded between words; all else is encoded.

    Unlike in `unstructured()`, a word longer than a line stays whole: it may be a message id (References), which
    encoded words would break.

    Args:
        name: of the field.
        value: at most `MAX_LITERAL` characters; no white space at the ends.

    Raises:
        ForbiddenCharacterError: the value holds CR, LF, NUL or a lone surrogate.
    """
    reject_forbidden(name, value)
    if not _QUOTABLE.fullmatch(value):
        return structured(name, encoded_words(value, first_line_room(name)) if value else ())
    lines = [f"{name}: "]
    for word in re.findall(" *[^ ]+", value):  # with the spaces before it: unfolding gives them back
        if len(lines[-1]) + len(word) > LINE_LENGTH and lines != [f"{name}: "]:
            lines.append("")
        lines[-1] += word
    return "\r\n".join(lines)


def structured(name: str, tokens: Iterable[str]) -> str:
    """A field of ready tokens, with a space or a fold between any two, without its final CRLF."""
    first = f"{name}:"
    lines = [first]
    for token in tokens:
        # Never before the first token: not every parser likes a field that starts on its second line.
        if len(lines[-1]) + 1 + len(token) > LINE_LENGTH and lines[-1] != first:
            lines.append("")
        lines[-1] += f" {token}"
    return "\r\n".join(lines)


def first_line_room(name: str) -> int:
    """Characters left for the value on the first line of a field."""
    return LINE_LENGTH - len(f"{name}: ")


def phrase(text: str, room: int) -> list[str]:
    """A display name as tokens: atoms, a quoted string, or encoded words, the first of these that can hold it.

    Args:
        text: any script, no CR, LF, NUL.
        room: characters left on the line for the first token.
    """
    if _ATOMS.fullmatch(text) and "=?" not in text and max(map(len, text.split(" "))) <= room:
        return text.split(" ")
    quoted = '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
    if _QUOTABLE.fullmatch(text) and "=?" not in text and len(quoted) <= room:
        return [quoted]
    return list(encoded_words(text, room))


def encoded_words(text: str, room: int) -> Iterator[str]:
    """Encode as UTF-8 in B or Q, whichever is shorter; no character is split between two words (RFC 2047, section 5).

    Args:
        text: what a reader will see; no lone surrogates.
        room: length of the first word at most; later ones have a line each.
    """
    data = text.encode()
    quoted_length = sum(len(_Q_TABLE[byte]) for byte in data)
    letter, encode = ("q", _q) if quoted_length <= (len(data) + 2) // 3 * 4 else ("b", _b)
    frame = len(f"=?utf-8?{letter}??=")
    limit, chunk = min(room, _ENCODED_WORD_LENGTH) - frame, b""
    for character in text:
        grown = chunk + character.encode()
        if chunk and len(encode(grown)) > limit:
            yield f"=?utf-8?{letter}?{encode(chunk)}?="
            limit, chunk = _ENCODED_WORD_LENGTH - frame, character.encode()
        else:
            chunk = grown
    yield f"=?utf-8?{letter}?{encode(chunk)}?="


def _q(data: bytes) -> str:
    return "".join(_Q_TABLE[byte] for byte in data)


def _b(data: bytes) -> str:
    return b64encode(data).decode("ascii")
