"""Mailboxes: an address, and the name shown beside it."""

import re
from dataclasses import dataclass
from enum import StrEnum

import idna

from waypost.mime.errors import MalformedMailboxError
from waypost.mime.header import reject_forbidden

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL_PART = re.compile(
    rf'(?=.{{1,64}}\Z)(?:{_ATEXT}(?:\.{_ATEXT})*|"(?:[ !#-\[\]-~]|\\[ -~])*")'
)  # RFC 5321, 4.5.3.1.1
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")


class AddressProblem(StrEnum):
    """Why an address cannot be written into a message."""

    MALFORMED = "malformed"
    """No local part, no domain, or characters that neither may hold."""
    SMTPUTF8_REQUIRED = "smtputf8_required"
    """The local part is not ASCII: such an address needs SMTPUTF8 (RFC 6531) all the way, which Waypost does not do."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address with the name to show; make it by `mailbox()`, which says what is wrong instead of raising.

    Attributes:
        address: addr-spec, ASCII, its domain as A-labels.
        name: display name, any script; empty for none.

    Raises:
        MalformedMailboxError: the address is not such an addr-spec.
        ForbiddenCharacterError: the name holds CR, LF, NUL or a lone surrogate.
    """

    address: str
    name: str = ""

    def __post_init__(self) -> None:
        local, _, domain = self.address.rpartition("@")
        if not (_LOCAL_PART.fullmatch(local) and _DOMAIN.fullmatch(domain)):
            raise MalformedMailboxError(f"not an ASCII address: {self.address!r}")
        reject_forbidden("display name", self.name)

    @property
    def domain(self) -> str:
        """The part after the last @."""
        return self.address.rpartition("@")[2]


def mailbox(address: str, name: str = "") -> Mailbox | AddressProblem:
    """Make a mailbox of what a client wrote; an international domain becomes its A-label form (RFC 5891).

    Raises:
        ForbiddenCharacterError: the name holds CR, LF, NUL or a lone surrogate.
    """
    local, _, written_domain = address.rpartition("@")
    domain = ascii_domain(written_domain)
    if not local or domain is None:
        return AddressProblem.MALFORMED
    if not local.isascii():
        return AddressProblem.SMTPUTF8_REQUIRED
    if not _LOCAL_PART.fullmatch(local):
        return AddressProblem.MALFORMED
    return Mailbox(f"{local}@{domain}", name)


def ascii_domain(domain: str) -> str | None:
    """The domain in lower case, international labels as A-labels; None if it is not a domain name.

    IDNA 2008 and not the standard library's codec, which speaks IDNA 2003 and sends mail for straße.de to strasse.de.
    """
    try:
        encoded = domain.lower() if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return None
    return encoded if _DOMAIN.fullmatch(encoded) else None
