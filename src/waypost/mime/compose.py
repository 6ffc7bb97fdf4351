"""Messages as bytes: RFC 5322 and MIME."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from uuid import UUID

from waypost.mime.attachment import Attachment, attachment_part
from waypost.mime.custom import field_name_problem
from waypost.mime.errors import ForbiddenCharacterError, ForbiddenFieldError
from waypost.mime.header import first_line_room, literal, phrase, structured, unstructured
from waypost.mime.mailbox import Mailbox
from waypost.mime.transfer import transfer
from waypost.mime.unsubscribe import Unsubscribe, unsubscribe_fields

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Everything a message is made of; equal messages compose to equal bytes, so a retry sends the same one again.

    Attributes:
        send_id: names the message in Message-ID and in the boundary.
        sent_at: the Date field; aware.
        from_: author; its domain is the sending domain and the right side of the Message-ID.
        to: at least one mailbox.
        cc: none for no Cc.
        reply_to: none for no Reply-To.
        subject: any script; CR, LF and NUL are refused.
        text: the text/plain part; None for none.
        html: the text/html part; None for none. With both, readers choose (multipart/alternative).
        attachments: those with a content id belong to the HTML part (multipart/related), the others stand beside it
            (multipart/mixed); without an HTML part all stand beside the text.
        unsubscribe: written as it is (RFC 8058 forbids a redirect); None for none.
        headers: names and values of further fields, in their order; see `field_name_problem()`.
    """

    send_id: UUID
    sent_at: datetime
    from_: Mailbox
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    subject: str
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    unsubscribe: Unsubscribe | None = None
    headers: tuple[tuple[str, str], ...] = ()


def compose(message: Message) -> bytes:
    """The message as it goes over the wire: ASCII, CRLF line ends, no line over 998 bytes.

    Lines over 76 bytes are only those with something longer that must not be cut: an address, a URL, a word of a
    further field. Transfer-decoding a part gives the exact UTF-8 bytes of its string, whatever line ends it uses.

    Raises:
        ForbiddenCharacterError: CR, LF or NUL bound for a header, or a lone surrogate anywhere.
        ForbiddenFieldError: `headers` has a field that only Waypost, a relay or a receiver sets.
    """
    head = "\r\n".join(_headers(message)).encode("ascii")
    return head + b"\r\n" + _body(message)


def _headers(message: Message) -> Iterator[str]:
    yield _mailboxes("From", (message.from_,))
    yield _mailboxes("To", message.to)
    if message.cc:
        yield _mailboxes("Cc", message.cc)
    if message.reply_to:
        yield _mailboxes("Reply-To", message.reply_to)
    yield unstructured("Subject", message.subject)
    yield f"Date: {format_datetime(message.sent_at)}"
    yield f"Message-ID: <{message.send_id.hex}@{message.from_.domain}>"
    if message.unsubscribe:
        yield from unsubscribe_fields(message.unsubscribe)
    for name, value in message.headers:
        if field_name_problem(name):
            raise ForbiddenFieldError(name)
        yield literal(name, value)
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
    text = None if message.text is None else _part("plain", message.text)
    html = None if message.html is None else _part("html", message.html)
    inline = [attachment for attachment in message.attachments if html and attachment.content_id is not None]
    beside = [attachment for attachment in message.attachments if not html or attachment.content_id is None]
    if html and inline:
        html = _multipart(message, "related", [html, *map(attachment_part, inline)])
    # RFC 2046, section 5.1.4: the best last.
    content = [part for part in (text, html) if part is not None] or [_part("plain", "")]
    body = content[0] if len(content) == 1 else _multipart(message, "alternative", content)
    return _multipart(message, "mixed", [body, *map(attachment_part, beside)]) if beside else body


def _multipart(message: Message, subtype: str, parts: Iterable[bytes]) -> bytes:
    """`parts` as one part.

    RFC 2045, section 6.7: "=_" occurs in no quoted-printable body, nor in base64. The letter after it keeps nested
    ones apart, and none is the beginning of another (RFC 2046, section 5.1.2).
    """
    boundary = f"=_{subtype[0]}{message.send_id.hex}".encode("ascii")
    # RFC 2387, section 3.1: of what kind the part is that refers to the others.
    root = b' type="text/html";' if subtype == "related" else b""
    inner = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts)
    head = b'Content-Type: multipart/%b;%b\r\n boundary="%b"\r\n\r\n' % (subtype.encode("ascii"), root, boundary)
    return b"%b%b--%b--\r\n" % (head, inner, boundary)


def _part(subtype: str, content: str) -> bytes:
    if found := _LONE_SURROGATE.search(content):
        raise ForbiddenCharacterError(f"text/{subtype}", content, found.start())
    encoded = transfer(content.encode())
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoded.encoding}\r\n\r\n"
    return head.encode("ascii") + encoded.body
