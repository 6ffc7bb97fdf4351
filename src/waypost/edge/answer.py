"""What the edge can answer, as values. The pages say nothing about which check failed, so all failures look alike."""

import base64
import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape

Headers = tuple[tuple[str, str], ...]

SAFE_HEADERS: Headers = (
    # A cached redirect would be a click that is never seen, or one seen for a second reader.
    ("Cache-Control", "no-store"),
    ("X-Robots-Tag", "noindex"),
    # A redirect passes on the referrer of the page that was clicked: a webmail address can name the mailbox or the
    # message, and neither concerns the destination. From our own pages it would be the tracked link itself.
    ("Referrer-Policy", "no-referrer"),
)

PIXEL = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"
    b"!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
"""One transparent pixel, 43 bytes: a smaller GIF is not drawn by every mail client."""

_REASONS = {
    200: "OK",
    302: "Found",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    410: "Gone",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, but for what belongs to the connection (Date, Connection).

    Attributes:
        status: of HTTP.
        headers: values hold no CR, LF or NUL.
        body: left out for HEAD.
        head: status line and headers as they are sent; made once, for what is answered often.
    """

    status: int
    headers: Headers
    body: bytes = b""
    head: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lines = [f"HTTP/1.1 {self.status} {_REASONS[self.status]}"]
        lines += [f"{name}: {value}" for name, value in (*self.headers, ("Content-Length", len(self.body)))]
        object.__setattr__(self, "head", "\r\n".join(lines))


@lru_cache(maxsize=1024)
def redirect(destination: str) -> Answer:
    """To exactly `destination`, which came out of an opened token and so holds only characters of RFC 3986.

    302 and not 301 or 308, which mail clients and proxies remember. No body: it would only be a second place for the
    destination to be escaped wrongly.
    """
    return Answer(302, (("Location", destination), *SAFE_HEADERS))


def _page(status: int, title: str, *paragraphs: str, more: Headers = ()) -> Answer:
    """A page for a person; its paragraphs are HTML. It loads nothing and runs nothing."""
    body = (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title><style>{_STYLE}</style>\n<h1>{title}</h1>\n"
        + "".join(f"<p>{paragraph}</p>\n" for paragraph in paragraphs)
    )
    return Answer(status, (*_PAGE_HEADERS, *SAFE_HEADERS, *more), body.encode())


_STYLE = "body{font:1.1em/1.5 sans-serif;max-width:40em;margin:3em auto;padding:0 1em}code{overflow-wrap:anywhere}"
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_PAGE_HEADERS: Headers = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; frame-ancestors 'none'"),
)
_NOTHING_HERE = "There is nothing at this address. If a link brought you here, it may be damaged."

NOT_FOUND = _page(404, "Not found", _NOTHING_HERE)
NOT_FOUND_WITH_HOME = _page(404, "Not found", _NOTHING_HERE, '<a href="/">Go to the home page of this site</a>')
"""For a link domain whose bare address leads somewhere."""
GONE = _page(410, "This link has been switched off", "It is not answered any more because it may have been misused.")
METHOD_NOT_ALLOWED = _page(405, "Not allowed", "This address can only be visited.", more=(("Allow", "GET, HEAD"),))
BAD_REQUEST = _page(400, "Bad request", "This request could not be understood.")
HEAD_TOO_LARGE = _page(431, "Too large", "This request is too large.")
INTERNAL_ERROR = _page(500, "Error", "This request could not be answered. Please try again.")
OPEN_PIXEL = Answer(200, (("Content-Type", "image/gif"), *SAFE_HEADERS), PIXEL)


def plain(text: str) -> Answer:
    """A text for a program."""
    return Answer(200, (("Content-Type", "text/plain"), *SAFE_HEADERS), text.encode())


ROBOTS = plain("User-agent: *\nDisallow: /\n")


def where(destination: str, sender: str, *, blocked: bool) -> Answer:
    """The page that says where a link goes. The destination is text and no link: nothing follows it by itself.

    Args:
        destination: of the token.
        sender: domain whose mail the link is in.
        blocked: the link leads nowhere any more.
    """
    verdict = (
        "It has been switched off because it may have been misused."
        if blocked
        else "Looking it up here opened nothing and was not recorded."
    )
    return _page(
        200,
        "Where does this link go?",
        f"<code>{escape(destination)}</code>",
        f"The link is in mail of <code>{escape(sender)}</code>. {verdict}",
    )


def encode(answer: Answer, *, date: str, body: bool, close: bool) -> bytes:
    """The bytes of an HTTP/1.1 answer (RFC 9112).

    Args:
        answer: what to send.
        date: as RFC 9110, section 5.6.7.
        body: false for HEAD.
        close: the connection ends after it.
    """
    end = "\r\nConnection: close\r\n\r\n" if close else "\r\n\r\n"
    head = f"{answer.head}\r\nDate: {date}{end}".encode("ascii")
    return head + answer.body if body else head
