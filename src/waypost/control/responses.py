"""Error bodies, and how a route documents the ones it has."""

from collections import defaultdict
from typing import Annotated, Any

from pydantic import BaseModel, Field

from waypost.control.errors import Code

NO_STORE = "no-store"
"""`Cache-Control` of an answer that holds a secret."""


class ErrorBody(BaseModel):
    """What every refusal answers with."""

    code: Annotated[int, Field(description="The HTTP status, then two digits.", examples=[int(Code.FIELD_INVALID)])]
    message: Annotated[str, Field(description="A sentence for people.", examples=["tags: must be a list"])]


def refusals(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """FastAPI's `responses` for a route that may answer with `codes`."""
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in codes:
        by_status[code.status].append(f"{code:d} {code.name.lower().replace('_', ' ')}")
    return {
        status: {"model": ErrorBody, "description": ", ".join(described)} for status, described in by_status.items()
    }
