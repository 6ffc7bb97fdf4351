"""What a token says: values, and what each must be.

Beside `waypost.links.token`, which may be compiled: mypyc knows no class that is a tuple with a `__new__` of its own.
"""

import re
from enum import StrEnum
from typing import Final, NamedTuple, Self
from uuid import UUID

from waypost.links.destination import MAX_DESTINATION_BYTES
from waypost.links.errors import InvalidPayload

MAX_NUMBER: Final = 2**63 - 1
"""What a primary key can be in SQLite and PostgreSQL."""


class Kind(StrEnum):
    """What the token is for."""

    CLICK = "click"
    OPEN = "open"


class Privacy(StrEnum):
    """How much an event of this token may tell about its reader."""

    IDENTIFIED = "identified"
    """The send id leads to the recipient."""
    PSEUDONYMOUS = "pseudonymous"
    """The send id tells readers apart; whoever stores the event must not resolve it to an address."""
    ANONYMOUS = "anonymous"
    """No send id in the token."""


class IpPolicy(StrEnum):
    """What may be written of the client address."""

    FULL = "full"
    TRUNCATED = "truncated"
    NONE = "none"


class _Fields(NamedTuple):
    kind: Kind
    account: int
    profile: int
    link_index: int
    destination: str
    send_id: UUID | None
    privacy: Privacy
    ip_policy: IpPolicy


class Payload(_Fields):
    """What a token says. Every payload that exists can be sealed, and opens to an equal one.

    Args:
        kind: click or open. An open has no link index and no destination.
        account: 0 to 2**63 - 1; the number for tokens, not the public id.
        profile: likewise.
        link_index: of the tracked link in its message.
        destination: an absolute http or https URL in the characters of RFC 3986, at most 4,096 bytes. It goes into a
            header as it stands.
        send_id: a version 7 UUID; present unless anonymous.
        privacy: see `Privacy`.
        ip_policy: see `IpPolicy`.

    Raises:
        InvalidPayload: a field that breaks these rules.
    """

    __slots__ = ()

    def __new__(  # noqa: PLR0917 -- the fields of a tuple
        cls,
        kind: Kind,
        account: int,
        profile: int,
        link_index: int = 0,
        destination: str = "",
        send_id: UUID | None = None,
        privacy: Privacy = Privacy.IDENTIFIED,
        ip_policy: IpPolicy = IpPolicy.FULL,
    ) -> Self:
        """As described above."""
        check_number("account", account)
        check_number("profile", profile)
        check_number("link_index", link_index)
        check_send_id(send_id, privacy)
        if kind is Kind.CLICK:
            check_destination(destination)
        elif link_index or destination:
            raise InvalidPayload("kind", "open goes with no link index and no destination")
        return super().__new__(cls, kind, account, profile, link_index, destination, send_id, privacy, ip_policy)


_MAX_HOST_NAME: Final = 253  # RFC 1035, section 2.3.4, as text
_LINK_DOMAIN: Final = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*")

# Wider than the grammar of RFC 3986, in its characters: enough that no value can end a header, hide a scheme or be
# read with another host by a browser (a backslash would). Not `destination.check`: what is tracked may one day be
# narrower than it is today, and the tokens of today must still open.
_DESTINATION: Final = re.compile(
    r"[Hh][Tt][Tt][Pp][Ss]?://[A-Za-z0-9\-._~:\[\]@!$&'()*+,;=%][A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*"
)


def check_link_domain(link_domain: str) -> None:
    """What every sealer asks of a link domain.

    Raises:
        InvalidPayload: it is not a lower-case host name without port.
    """
    if not _LINK_DOMAIN.fullmatch(link_domain) or len(link_domain) > _MAX_HOST_NAME:
        raise InvalidPayload("link_domain", f"{link_domain!r} is not a lower-case host name without port")


def check_destination(destination: str) -> None:
    """What every token asks of its destination, so that it can stand in a header as it is.

    Raises:
        InvalidPayload: it is too long, or not an http or https URL in the characters of RFC 3986.
    """
    if len(destination) > MAX_DESTINATION_BYTES:
        raise InvalidPayload("destination", f"has more than {MAX_DESTINATION_BYTES} bytes")
    if not _DESTINATION.fullmatch(destination):
        raise InvalidPayload("destination", "is not an http or https URL in the characters of RFC 3986")


def check_number(field: str, number: int) -> None:
    """What every number of a token must be.

    Raises:
        InvalidPayload: it is below 0 or above `MAX_NUMBER`.
    """
    if not 0 <= number <= MAX_NUMBER:
        raise InvalidPayload(field, f"is {number}, not between 0 and 2**63 - 1")


def check_send_id(send_id: UUID | None, privacy: Privacy) -> None:
    """What every token asks of its send id.

    Raises:
        InvalidPayload: it is there and must not be, or the other way round; or it is not of version 7.
    """
    if (send_id is None) is not (privacy is Privacy.ANONYMOUS):
        raise InvalidPayload("send_id", f"must be {'absent' if send_id else 'present'} when {privacy}")
    if send_id is not None and send_id.int & _UUID7_MASK != _UUID7_BITS:
        raise InvalidPayload("send_id", "is not a version 7 UUID (RFC 9562, section 5.7)")


_UUID7_MASK: Final = 0xF << 76 | 0b11 << 62
_UUID7_BITS: Final = 0x7 << 76 | 0b10 << 62
