"""How webhooks are doing, in a file beside the others, for whoever tells about this machine."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from waypost.keyfile.file import replace_file

NAME: Final = "webhooks.json"
_MAX_BYTES: Final = 1 << 20


class State(Struct, frozen=True, kw_only=True):
    """Counts are since the core started."""

    notices: int
    """Messages noted for an endpoint."""
    attempts: Mapping[str, int]
    """By what came of them: `waypost.db.states.AttemptOutcome`."""
    given_up: int
    """Endpoints disabled because of what they answered, or did not."""
    endpoints_disabled: int
    """At present, for whatever reason."""
    oldest_due_at: datetime | None
    """Of what should have been sent by now; None when there is nothing."""


def write_state(data: Path, state: State) -> None:
    """Say how it goes.

    Raises:
        OSError: it could not be written.
    """
    replace_file(data / NAME, msgspec.json.encode(state).decode())


def read_state(data: Path) -> State | None:
    """What was said last; None when no core has said it here.

    Raises:
        OSError: it cannot be read.
        msgspec.DecodeError: it is damaged.
    """
    try:
        with (data / NAME).open("rb") as file:
            return msgspec.json.decode(file.read(_MAX_BYTES), type=State)
    except FileNotFoundError:
        return None
