"""How large an HTML part is in a mail, and whether Gmail will cut it off."""

from typing import NamedTuple

GMAIL_CLIPS_AT_BYTES = 102_400
"""Gmail shows about the first 102 KB of a message's HTML and a link to the rest, as its senders observe."""

# RFC 2045, sections 6.7 and 6.8. A line holds 76 bytes; a quoted-printable one keeps a few for what must not be cut.
_BASE64_LINE_BYTES = 76
_QUOTED_LINE_BYTES = 73
_BASE64_LINE_END = len(b"\r\n")
_QUOTED_LINE_END = len(b"=\r\n")
_LITERAL = bytes({*range(ord(" "), ord("~") + 1), ord("\t")} - {ord("=")})


class Size(NamedTuple):
    """The size of one HTML part."""

    content_bytes: int
    """In UTF-8."""
    encoded_bytes: int
    """As it travels: base64 or quoted-printable (of the exact bytes, line ends too), whichever is shorter."""

    @property
    def clipped(self) -> bool:
        """Whether Gmail is expected to cut it off."""
        return self.encoded_bytes > GMAIL_CLIPS_AT_BYTES


def measure(html: str) -> Size:
    """The size of an HTML part. The encoded one is right to a hundredth: where lines are cut is not looked at."""
    content = html.encode("utf-8", "surrogatepass")
    base64 = -(-len(content) // 3) * 4
    base64 += -(-base64 // _BASE64_LINE_BYTES) * _BASE64_LINE_END
    quoted = len(content) + 2 * len(content.translate(None, delete=_LITERAL))
    quoted += -(-quoted // _QUOTED_LINE_BYTES) * _QUOTED_LINE_END
    return Size(len(content), min(base64, quoted))
