"""Who gets a message: the recipients of a batch, each right or refused by itself, and those of a send with copies."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from waypost.control.errors import InvalidFieldError
from waypost.control.rules import broken_rules_in, sentence
from waypost.control.sends.schema import Addressee, NewRecipient, NewSend
from waypost.db.tables import ADDRESS_CHARACTERS

_RECIPIENT = TypeAdapter(NewRecipient)
_ADDRESS = "recipient_email_address"


@dataclass(frozen=True, slots=True)
class RefusedRecipient:
    """A recipient that is not sent to.

    Attributes:
        address: as it was written; None when it was not a text.
        message: which field breaks which rule.
    """

    address: str | None
    message: str


def checked(recipients: Iterable[Any]) -> list[NewRecipient | RefusedRecipient]:
    """Each of them, in order. Takes 0.1 ms for each: not for the event loop.

    Raises:
        InvalidFieldError: none of them can be sent to.
    """
    found = [_checked(each) for each in recipients]
    if all(isinstance(each, RefusedRecipient) for each in found):
        first = found[0]
        assert isinstance(first, RefusedRecipient)  # noqa: S101 - all of them are
        raise InvalidFieldError("recipients", f"none of them can be sent to; the first: {first.message}")
    return found


def recipients_of(asked: NewSend) -> list[NewRecipient]:
    """Who gets a send of their own: the recipient, then those of `cc` and `bcc`, with the same tags."""
    copies = [*(asked.cc or ()), *(asked.bcc or ())]
    return [asked, *(NewRecipient(**each.model_dump(), tags=asked.tags) for each in copies)]


def addressees_of(asked: NewSend) -> dict[str, list[list[str]]] | None:
    """Whom the header of each of them names, as `Content.addressees`; None when there is one recipient."""
    if not asked.cc and not asked.bcc:
        return None
    return {"to": [_pair(asked)], "cc": [_pair(each) for each in asked.cc or ()]}


def _pair(addressee: Addressee) -> list[str]:
    return [addressee.recipient_name or "", addressee.recipient_email_address]


def _checked(recipient: Any) -> NewRecipient | RefusedRecipient:  # noqa: ANN401 - any JSON
    try:
        return _RECIPIENT.validate_python(recipient)
    except ValidationError as error:
        address = recipient.get(_ADDRESS) if isinstance(recipient, dict) else None
        message = sentence(broken_rules_in(error.errors(include_url=False), "recipient"))
        return RefusedRecipient(_shown(address), message)


def _shown(address: Any) -> str | None:  # noqa: ANN401 - any JSON
    """As much as an address may have; half a surrogate pair cannot be answered as UTF-8, and is replaced."""
    return address[:ADDRESS_CHARACTERS].encode(errors="replace").decode() if isinstance(address, str) else None
