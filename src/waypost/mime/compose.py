"""Messages as bytes: RFC 5322 and MIME."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from uuid import UUID

from waypost.mime.errors import ForbiddenCharacterError
from waypost.mime.header import first_line_room, phrase, structured, unstructured
from waypost.mime.mailbox import Mailbox
from waypost.mime.transfer import transfer

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Everything a message is made of; equal messages compose to equal bytes, so a retry sends the same one again.

    Attributes:
        send_id: names the message in Message-ID and in the boundary.
        sent_at: the Date field; aware.
        from_: author; its domain is the sending domain and the right side of the Message-ID.
        to: at least one mailbox.
        reply_to: none for no Reply-To.
        subject: any script; CR, LF and NUL are refused.
        text: the text/plain part; None for none.
        html: the text/html part; None for none. With both, readers choose (multipart/alternative).
    """

    send_id: UUID
    sent_at: datetime
    from_: Mailbox
    to: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...] = ()
    subject: str
    text: str | None = None
    html: str | None = None


def compose(message: Message) -> bytes:
    """The message as it goes over the wire: ASCII, CRLF line ends, no line over 76 bytes but for a longer address.

    Transfer-decoding a part gives the exact UTF-8 bytes of its string, whatever line ends it uses.

    Raises:
        ForbiddenCharacterError: CR, LF or NUL bound for a header, or a lone surrogate anywhere.
    """
    head = "\r\n".join(_headers(message)).encode("ascii")
    return head + b"\r\n" + _body(message)


def _headers(message: Message) -> Iterator[str]:
    yield _mailboxes("From", (message.from_,))
    yield _mailboxes("To", message.to)
    if message.reply_to:
        yield _mailboxes("Reply-To", message.reply_to)
    yield unstructured("Subject", message.subject)
    yield f"Date: {format_datetime(message.sent_at)}"
    yield f"Message-ID: <{message.send_id.hex}@{message.from_.domain}>"
    yield "MIME-Version: 1.0"


def _mailboxes(name: str, mailboxes: Iterable[Mailbox]) -> str:
    tokens: list[str] = []
    room = first_line_room(name)
    for mailbox in mailboxes:
        if tokens:
            tokens[-1] += ","
        if mailbox.name:
            tokens += [*phrase(mailbox.name, room), f"<{mailbox.address}>"]
        else:
            tokens.append(mailbox.address)
    return structured(name, tokens)


def _body(message: Message) -> bytes:
    """The body with the headers that describe it; the caller has written the line end before them."""
    parts = [
        _part(subtype, content)
        for subtype, content in (("plain", message.text), ("html", message.html))  # RFC 2046, 5.1.4: the best last
        if content is not None
    ] or [_part("plain", "")]
    if len(parts) == 1:
        return parts[0]
    # RFC 2045, section 6.7: "=_" occurs in no quoted-printable body, nor in base64.
    boundary = b"=_" + message.send_id.hex.encode("ascii")
    inner = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts)
    return b'Content-Type: multipart/alternative;\r\n boundary="%b"\r\n\r\n%b--%b--\r\n' % (boundary, inner, boundary)


def _part(subtype: str, content: str) -> bytes:
    if found := _LONE_SURROGATE.search(content):
        raise ForbiddenCharacterError(f"text/{subtype}", content, found.start())
    encoded = transfer(content.encode())
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoded.encoding}\r\n\r\n"
    return head.encode("ascii") + encoded.body
