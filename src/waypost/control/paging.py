"""Lists in pages: `limit`, an opaque `cursor`, and the next page in the `Link` header (RFC 8288)."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Response

from waypost.control.errors import InvalidFieldError

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
# Longer than any cursor of ours: what is not one is not decoded.
_MAX_CURSOR_CHARACTERS = 128

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many at most.")]
Cursor = Annotated[
    str | None,
    Query(
        max_length=_MAX_CURSOR_CHARACTERS,
        description="Extension. Where to go on: it comes in the `Link` header of the page before. Opaque.",
    ),
]
LINK_HEADER = {
    "Link": {
        "description": 'The next page, as `<…>; rel="next"`; absent on the last one.',
        "schema": {"type": "string"},
    }
}


def cursor_of(*position: int | str) -> str:
    """Where a page ended, for the next request; `position_of` reads it."""
    return base64.urlsafe_b64encode(" ".join(map(str, position)).encode()).rstrip(b"=").decode()


def position_of(cursor: str) -> list[str]:
    """The position in a cursor.

    Raises:
        InvalidFieldError: it is not one of ours.
    """
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode().split(" ")
    except (binascii.Error, ValueError) as error:
        raise bad_cursor() from error


def number_of(cursor: str) -> int:
    """The position in a cursor that is one number.

    Raises:
        InvalidFieldError: it is not one of ours.
    """
    match position_of(cursor):
        # As many digits as 64 bits have: a database takes no more.
        case [number] if re.fullmatch("[0-9]{1,18}", number):
            return int(number)
    raise bad_cursor()


def bad_cursor() -> InvalidFieldError:
    """For a cursor that no page ended with."""
    return InvalidFieldError("cursor", "must be one that a Link header gave")


def link_next(response: Response, path: str, query: Mapping[str, int | str], cursor: str | None) -> None:
    """Say where the next page is, if there is one. A relative reference: a TLS front may stand before us."""
    if cursor is not None:
        response.headers["Link"] = f'<{path}?{urlencode({**query, "cursor": cursor})}>; rel="next"'
