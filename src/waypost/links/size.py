"""How large an HTML part is in a mail, and whether Gmail will cut it off."""

from binascii import b2a_qp
from typing import NamedTuple

GMAIL_CLIPS_AT_BYTES = 102_400
"""Gmail shows about the first 102 KB of a message's HTML and a link to the rest, as its senders observe."""

_BASE64_LINE_BYTES = 76  # RFC 2045, section 6.8


class Size(NamedTuple):
    """The size of one HTML part."""

    content_bytes: int
    """In UTF-8."""
    encoded_bytes: int
    """As it travels: base64 or quoted-printable, whichever is shorter."""

    @property
    def clipped(self) -> bool:
        """Whether Gmail is expected to cut it off."""
        return self.encoded_bytes > GMAIL_CLIPS_AT_BYTES


def measure(html: str) -> Size:
    """The size of an HTML part."""
    content = html.encode("utf-8", "surrogatepass")
    base64_bytes = -(-len(content) // 3) * 4
    base64_bytes += 2 * -(-base64_bytes // _BASE64_LINE_BYTES)
    return Size(len(content), min(base64_bytes, len(b2a_qp(content, istext=False))))
