"""Attachments (RFC 2183), and images that stand in the HTML part (RFC 2387, RFC 2392)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from waypost.mime.errors import MalformedAttachmentError
from waypost.mime.header import LINE_LENGTH, reject_forbidden, structured
from waypost.mime.transfer import transfer

MAX_CONTENT_TYPE = 255
MAX_CONTENT_ID = 255
MAX_FILE_NAME = 255  # what file systems take

# RFC 2045, section 5.1.
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+"  # noqa: S105 - a grammar's token
_PARAMETER = rf'{_TOKEN}=(?:{_TOKEN}|"(?:[ !#-\[\]-~]|\\[ -~])*")'
_CONTENT_TYPE = re.compile(rf"(?P<kind>{_TOKEN}/{_TOKEN})(?P<parameters>(?: *; *{_PARAMETER})*)")
# Their bytes may not be encoded (RFC 2046, sections 5.1 and 5.2.1), and unencoded ones may change on the way.
_UNENCODABLE = ("multipart/", "message/")
# Of RFC 2392's, those characters that stand in a `cid:` URL as they are.
_CONTENT_ID = re.compile(rf"[A-Za-z0-9!$&'*+/=^_`{{|}}~.@-]{{1,{MAX_CONTENT_ID}}}")

_PLAIN_NAME = re.compile(r"[ !#-\[\]-~]+")
# RFC 2231, section 7, attribute-char: quote() leaves letters, digits and "_.-~" alone by itself.
_ATTRIBUTE_CHARACTERS = "!#$&+^`{|}"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a message.

    Attributes:
        name: file name, any script.
        content_type: such as `text/csv; charset=utf-8`; see `is_content_type()`.
        data: its bytes.
        content_id: with one it is shown where the HTML part says `cid:` and this; None: it stands beside the text.

    Raises:
        MalformedAttachmentError: the content type or id is none.
        ForbiddenCharacterError: the name holds CR, LF, NUL or a lone surrogate.
    """

    name: str
    content_type: str
    data: bytes
    content_id: str | None = None

    def __post_init__(self) -> None:
        reject_forbidden("attachment name", self.name)
        if not is_content_type(self.content_type):
            raise MalformedAttachmentError(f"not a content type for an attachment: {self.content_type!r}")
        if self.content_id is not None and not is_content_id(self.content_id):
            raise MalformedAttachmentError(f"not a content id: {self.content_id!r}")


def is_content_type(value: str) -> bool:
    """Whether an attachment can have this Content-Type, parameters included: not `multipart/…`, not `message/…`."""
    return (
        len(value) <= MAX_CONTENT_TYPE
        and _CONTENT_TYPE.fullmatch(value) is not None
        and not value.lower().startswith(_UNENCODABLE)
    )


def is_content_id(value: str) -> bool:
    """Whether it can stand in Content-ID and, as it is, in a `cid:` URL."""
    return _CONTENT_ID.fullmatch(value) is not None


def attachment_part(attachment: Attachment) -> bytes:
    """The attachment as a part of a multipart: headers, empty line, encoded bytes."""
    encoded = transfer(attachment.data)
    disposition = "attachment" if attachment.content_id is None else "inline"
    fields = [
        structured("Content-Type", _content_type_tokens(attachment.content_type)),
        f"Content-Transfer-Encoding: {encoded.encoding}",
        structured("Content-Disposition", [f"{disposition};", *_file_name(attachment.name)]),
    ]
    if attachment.content_id is not None:
        fields.append(f"Content-ID: <{attachment.content_id}>")
    return "\r\n".join([*fields, "", ""]).encode("ascii") + encoded.body


def _content_type_tokens(content_type: str) -> list[str]:
    found = _CONTENT_TYPE.fullmatch(content_type)
    if found is None:  # the constructor has looked
        raise MalformedAttachmentError(f"not a content type for an attachment: {content_type!r}")
    tokens = [found["kind"], *re.findall(_PARAMETER, found["parameters"])]
    return [*(f"{token};" for token in tokens[:-1]), tokens[-1]]


def _file_name(name: str) -> list[str]:
    """The parameter `filename`, in several pieces when a line cannot hold it (RFC 2231, section 3).

    Not quoted where that needs a backslash or looks like an encoded word: clients differ on both.
    """
    quoted = f'filename="{name}"'
    room = LINE_LENGTH - len(" ;")
    if _PLAIN_NAME.fullmatch(name) and "=?" not in name and len(quoted) <= room:
        return [quoted]
    pieces = list(_pieces(name, room))
    if len(pieces) == 1:
        return [f"filename*={pieces[0]}"]
    numbered = [f"filename*{number}*={piece}" for number, piece in enumerate(pieces)]
    return [*(f"{piece};" for piece in numbered[:-1]), numbered[-1]]


def _pieces(name: str, room: int) -> Iterator[str]:
    """Percent-encoded; no character is split between two, since not every client joins them before it decodes."""
    limit = room - len("filename*99*=")
    piece = "utf-8''"
    for character in name:
        encoded = quote(character, safe=_ATTRIBUTE_CHARACTERS)
        if len(piece) + len(encoded) > limit:
            yield piece
            piece = ""
        piece += encoded
    yield piece
