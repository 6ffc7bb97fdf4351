"""What a message may have besides its parts: attachments, further header fields, a way to unsubscribe. Extensions."""

import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from waypost.control.fields import Name, RequestModel, single_line
from waypost.mime.attachment import MAX_CONTENT_ID, MAX_CONTENT_TYPE, is_content_id, is_content_type
from waypost.mime.custom import FieldNameProblem, field_name_problem
from waypost.mime.header import MAX_FIELD_NAME, MAX_LITERAL
from waypost.mime.unsubscribe import MAX_URI, is_https, is_mailto, is_web_uri

MAX_ATTACHMENTS = 100
"""More than any message has; the 10 MB of a request are the limit that is met."""
MAX_HEADERS = 50
"""With values of the greatest length they stay under 64 KB, which is where relays begin to refuse headers."""

_NAME_RULES: Mapping[FieldNameProblem, str] = {
    FieldNameProblem.MALFORMED: "must be the name of a header field: printable ASCII without spaces and colons",
    FieldNameProblem.RESERVED: "must not be a header field that Waypost, a relay or a receiver sets",
}


def _file_content(value: object) -> bytes:
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "must be a string")
    try:
        # Many encoders break lines, as MIME does.
        return binascii.a2b_base64(value.replace("\r", "").replace("\n", ""), strict_mode=True)
    except ValueError as error:  # binascii.Error is one; the other is for characters beyond ASCII
        raise PydanticCustomError("base64", "must be base64 with padding (RFC 4648, section 4)") from error


def _content_type(value: str) -> str:
    if not is_content_type(value):
        raise PydanticCustomError(
            "content_type",
            "must be a media type such as application/pdf, and neither multipart/* nor message/*, which may not be "
            "encoded: application/octet-stream holds any bytes",
        )
    return value


def _content_id(value: str) -> str:
    if not is_content_id(value):
        raise PydanticCustomError(
            "content_id", "must be ASCII letters and digits and what a cid: URL may hold beside them"
        )
    return value


def _field_name(value: str) -> str:
    problem = field_name_problem(value)
    if problem is not None:
        raise PydanticCustomError("header_name", "{rule}", {"rule": _NAME_RULES[problem]})
    return value


def _field_value(value: str) -> str:
    stripped = single_line(value).strip(" \t")  # no reader keeps it
    if not stripped:
        raise PydanticCustomError("header_empty", "must hold something")
    return stripped


def _named_once(headers: dict[str, str]) -> dict[str, str]:
    if len({name.lower() for name in headers}) < len(headers):
        raise PydanticCustomError("header_twice", "must not hold a name twice: letter case makes no difference")
    return headers


def _web_uri(value: str) -> str:
    if not is_web_uri(value):
        raise PydanticCustomError("web_url", "must be an http or https URL, percent-encoded")
    return value


def _mailto(value: str) -> str:
    if not is_mailto(value):
        raise PydanticCustomError("mailto", "must be mailto:, an address, and perhaps ?subject=…, percent-encoded")
    return value


class NewAttachment(RequestModel):
    """A file of a message."""

    name: Annotated[Name, Field(description="File name that the reader sees.")]
    content_type: Annotated[str, Field(max_length=MAX_CONTENT_TYPE), AfterValidator(_content_type)]
    content: Annotated[
        bytes,
        Field(description="Base64; line breaks are allowed."),
        BeforeValidator(_file_content),
        WithJsonSchema({"type": "string", "format": "byte"}),
    ]
    content_id: Annotated[
        Annotated[str, Field(max_length=MAX_CONTENT_ID), AfterValidator(_content_id)] | None,
        Field(description="`logo`, to be shown where `content_html` says `cid:logo`."),
    ] = None


class NewUnsubscribe(RequestModel):
    """How the reader gets off the list: the List-Unsubscribe header. Its URL is not tracked in the HTML part either."""

    url: Annotated[str, Field(max_length=MAX_URI), AfterValidator(_web_uri)] | None = None
    mailto: Annotated[
        Annotated[str, Field(max_length=MAX_URI), AfterValidator(_mailto)] | None,
        Field(description="Such as `mailto:leave@shop.example?subject=unsubscribe`."),
    ] = None
    one_click: Annotated[
        bool,
        Field(description="RFC 8058: a POST to `url`, which must be https, unsubscribes without another question."),
    ] = False

    @model_validator(mode="after")
    def _says_how(self) -> Self:
        if not self.url and not self.mailto:
            raise PydanticCustomError("no_way", "must have a url or a mailto")
        if self.one_click and not is_https(self.url or ""):
            raise PydanticCustomError("one_click", "must have an https url for one_click (RFC 8058)")
        return self

    def stored(self) -> dict[str, Any]:
        """As `Send.list_unsubscribe` keeps it: the fields of `waypost.mime.Unsubscribe`."""
        return {"url": self.url or "", "mailto": self.mailto or "", "one_click": self.one_click}


Attachments = Annotated[
    list[NewAttachment], Field(max_length=MAX_ATTACHMENTS, description="Extension. Files, at most 10 MB with the rest.")
]
Headers = Annotated[
    dict[
        Annotated[str, Field(max_length=MAX_FIELD_NAME), AfterValidator(_field_name)],
        Annotated[str, Field(max_length=MAX_LITERAL), AfterValidator(_field_value)],
    ],
    Field(
        max_length=MAX_HEADERS, description="Extension. Further header fields; not those that Waypost or a relay sets."
    ),
    AfterValidator(_named_once),
]


def stored_attachments(attachments: list[NewAttachment]) -> list[dict[str, Any]]:
    """Values of rows of `ContentAttachment`, whose `content_id` is still to be set."""
    return [
        {
            "position": position,
            "name": file.name,
            "content_type": file.content_type,
            "inline_id": file.content_id,
            "data": file.content,
        }
        for position, file in enumerate(attachments)
    ]
