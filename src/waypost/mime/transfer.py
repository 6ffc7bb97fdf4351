"""Content-Transfer-Encodings (RFC 2045, section 6) that give back the exact bytes."""

import re
from base64 import encodebytes
from binascii import b2a_qp
from dataclasses import dataclass
from typing import Literal

_SOFT_BREAK = b"=\r\n"
_LITERAL = bytes({*range(ord(" "), ord("~") + 1), ord("\t")} - {ord("=")})
# 73 and not 75: a protected first character below takes two more, and with the "=" a line holds 76 at most.
# The lookbehinds keep an escape in one piece.
_QP_LINE = re.compile(rb".{1,73}(?<!=)(?<!=.)")
# Mailboxes in mbox format turn a leading "From " into ">From "; careless relays lose a leading dot.
_MANGLED_AT_START = re.compile(rb"\n(?:\.|F(?=rom ))")


@dataclass(frozen=True, slots=True)
class Transferred:
    """A body ready for a message: ASCII, no line over 76 bytes, each ended by CRLF; the last end is not data.

    `encoding` is what Content-Transfer-Encoding says.
    """

    encoding: Literal["quoted-printable", "base64"]
    body: bytes


def transfer(data: bytes) -> Transferred:
    """Encode as quoted-printable or base64, whichever is shorter; decoding gives back `data` byte for byte."""
    encoded = base64(data)
    escapes = len(data.translate(None, delete=_LITERAL))
    if len(data) + 2 * escapes <= len(encoded):  # soft line breaks only add to it
        quoted = quoted_printable(data)
        if len(quoted) <= len(encoded):
            return Transferred("quoted-printable", quoted)
    return Transferred("base64", encoded)


def quoted_printable(data: bytes) -> bytes:
    """Quoted-printable of the exact bytes; every line break in the result is a soft one.

    Line ends of the data are escaped, CRLF too, where RFC 2045 (section 6.7, rule 4) would have a hard line break: a
    hard one decodes to whatever line end the message was stored with, and would make CRLF and LF the same.
    """
    # b2a_qp breaks lines itself, but lets some grow to 77 characters; all its breaks are soft, so they can be undone.
    escaped = b2a_qp(data, istext=False).replace(_SOFT_BREAK, b"").replace(b"=\n", b"")
    lines = b"".join(_SOFT_BREAK + line for line in _QP_LINE.findall(escaped)) + _SOFT_BREAK
    return _MANGLED_AT_START.sub(lambda found: b"\n=%02X" % found[0][1], lines)[len(_SOFT_BREAK) :]


def base64(data: bytes) -> bytes:
    """Base64 in lines of 76 characters."""
    return encodebytes(data).replace(b"\n", b"\r\n")
