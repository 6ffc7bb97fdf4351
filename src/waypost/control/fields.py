"""The kinds of text that a request may hold, each with its rule in words that follow the field's name."""

import re
from collections.abc import Callable
from typing import Annotated

from email_validator import EmailNotValidError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from waypost.control.addresses import is_plain, normalized
from waypost.db.tables import ADDRESS_CHARACTERS, DOMAIN_CHARACTERS
from waypost.links import destination
from waypost.mime.mailbox import ascii_domain

# Everything that ends or breaks a header line for some reader: C0 but tab, DEL, C1 (NEL is a line end to many).
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")

MAX_TAGS = 256
MAX_TAG_CHARACTERS = 256
MAX_NAME_CHARACTERS = 256
# As much as fits on one line of RFC 5322, section 2.1.1, before encoding.
MAX_SUBJECT_CHARACTERS = 998
MAX_URL_CHARACTERS = 2048
# As A-labels. A DKIM record's name is the selector (27 characters), "._domainkey." and the sending domain, 253 in all
# (RFC 1035); a return path on the bounce domain is "bounce-", 32 digits, "@" and 254 in all (RFC 5321, 4.5.3.1.3).
MAX_MAIL_DOMAIN_CHARACTERS = 214
MAX_REASON_CHARACTERS = 1000
# NIST SP 800-63B-4, section 3.1.1.2, for a password that is the only factor. It asks for no rules beside that.
MIN_PASSWORD_CHARACTERS = 15
MAX_PASSWORD_CHARACTERS = 256
_ASCII_TEXT = re.compile(r"[ -~]*")

SURROGATE = "must be text: it holds half of a surrogate pair"


class RequestModel(BaseModel):
    """A request body: no coercion, so that a wrong type is an error and not a surprise; unknown fields are ignored."""

    model_config = ConfigDict(strict=True, frozen=True)


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        # JSON's "\ud800" alone: Python keeps it, no encoding does. pydantic looks only where it counts characters.
        raise PydanticCustomError("string_unicode", SURROGATE) from error
    return value


def single_line(value: str) -> str:
    """Refuse what could end a header line, or break it for some reader."""
    if found := _CONTROL.search(value):
        raise PydanticCustomError(
            "control_character",
            "must not hold control characters (found {character})",
            {"character": f"U+{ord(found[0]):04X}"},
        )
    return value


def _ascii_text(value: str) -> str:
    """Basic credentials beyond ASCII are read differently by different clients and servers (RFC 7617, section 2.1)."""
    if not _ASCII_TEXT.fullmatch(value):
        raise PydanticCustomError("ascii_text", "must hold only ASCII letters, digits, punctuation and spaces")
    return value


def _email_address(value: str) -> str:
    try:
        return value if is_plain(value) else normalized(value)
    except EmailNotValidError as error:
        raise PydanticCustomError("email_address", "must be an e-mail address: {why}", {"why": str(error)}) from error


def _domain_name(value: str) -> str:
    domain = ascii_domain(value)
    if domain is None:
        raise PydanticCustomError("domain_name", "must be a domain name, without scheme, port or final dot")
    return domain


def _mail_domain_name(domain: str) -> str:
    if len(domain) > MAX_MAIL_DOMAIN_CHARACTERS:
        raise PydanticCustomError(
            "mail_domain_name",
            "must have at most {longest} characters, international labels written in ASCII",
            {"longest": MAX_MAIL_DOMAIN_CHARACTERS},
        )
    return domain


def _web_url(value: str) -> str:
    if destination.check(value) is not None:
        raise PydanticCustomError("web_url", "must be an http or https URL, percent-encoded")
    return value


def _or_nothing(check: Callable[[str], str]) -> Callable[[str], str]:
    return lambda value: value and check(value)


def domain_of(email_address: str) -> str:
    """The domain of a validated address, as A-labels in lower case."""
    return _domain_name(email_address.rpartition("@")[2])


Text = Annotated[str, AfterValidator(_text)]
"""Any text that can be written as UTF-8, NUL included."""
# The length first: pydantic counts what comes out of a function with the words for a list.
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARACTERS), AfterValidator(single_line)]
DisplayName = Annotated[str, Field(max_length=MAX_NAME_CHARACTERS), AfterValidator(single_line)]
Subject = Annotated[str, Field(max_length=MAX_SUBJECT_CHARACTERS), AfterValidator(single_line)]
Tag = Annotated[str, Field(max_length=MAX_TAG_CHARACTERS), AfterValidator(single_line)]
Reason = Annotated[str, Field(min_length=1, max_length=MAX_REASON_CHARACTERS), AfterValidator(single_line)]
"""Why something was decided, in a sentence or two."""
# Their length before anything else as well: the checks behind it take seconds for megabytes, in the event loop.
EmailAddress = Annotated[str, Field(max_length=ADDRESS_CHARACTERS), AfterValidator(_email_address)]
OptionalEmailAddress = Annotated[str, Field(max_length=ADDRESS_CHARACTERS), AfterValidator(_or_nothing(_email_address))]
"""An address, or the empty text for none."""
Password = Annotated[
    str,
    Field(min_length=MIN_PASSWORD_CHARACTERS, max_length=MAX_PASSWORD_CHARACTERS),
    AfterValidator(_ascii_text),
]
DomainName = Annotated[str, Field(max_length=DOMAIN_CHARACTERS), AfterValidator(_domain_name)]
MailDomainName = Annotated[DomainName, AfterValidator(_mail_domain_name)]
"""One that has room before it for what mail puts there."""
WebUrl = Annotated[str, Field(max_length=MAX_URL_CHARACTERS), AfterValidator(_web_url)]
# SMTPD's client writes every field, the empty ones as "".
OptionalDomainName = Annotated[str, Field(max_length=DOMAIN_CHARACTERS), AfterValidator(_or_nothing(_domain_name))]
"""A domain name, or the empty text for none."""
OptionalMailDomainName = Annotated[OptionalDomainName, AfterValidator(_or_nothing(_mail_domain_name))]
"""The same for a domain of mail."""
OptionalWebUrl = Annotated[str, Field(max_length=MAX_URL_CHARACTERS), AfterValidator(_or_nothing(_web_url))]
"""A URL, or the empty text for none."""
