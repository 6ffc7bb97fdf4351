"""What `waypost.mime` raises. All of it is a broken contract: the API refuses such input before a message is made.

MimeError
├── ForbiddenCharacterError     CR, LF or NUL in something bound for a header; a lone surrogate anywhere
├── ForbiddenFieldError         a header field that senders may not add
├── MalformedAttachmentError    a content type or id that is none
├── MalformedMailboxError       an address that has not been through `mailbox()`
└── MalformedUnsubscribeError   no URI, or one-click without https
"""


class MimeError(ValueError):
    """Root of the tree."""

    code = "mime_error"


class ForbiddenCharacterError(MimeError):
    """A character that must never reach a message: it would end a header line, or has no UTF-8 form.

    Attributes:
        field: name of the header or part, such as "Subject" or "text/html".
        position: offset of the character in the value.
    """

    code = "forbidden_character"

    def __init__(self, field: str, value: str, position: int) -> None:
        super().__init__(f"{field} holds the forbidden character U+{ord(value[position]):04X} at offset {position}")
        self.field = field
        self.position = position


class ForbiddenFieldError(MimeError):
    """A header field that senders may not add.

    Attributes:
        field: its name.
    """

    code = "forbidden_field"

    def __init__(self, field: str) -> None:
        super().__init__(f"the header field {field!r} cannot be added to a message")
        self.field = field


class MalformedAttachmentError(MimeError):
    """A content type that no attachment can have, or a content id that is none."""

    code = "malformed_attachment"


class MalformedUnsubscribeError(MimeError):
    """Not a way to unsubscribe."""

    code = "malformed_unsubscribe"


class MalformedMailboxError(MimeError):
    """An address that is no ASCII addr-spec (RFC 5322, section 3.4.1)."""

    code = "malformed_mailbox"
