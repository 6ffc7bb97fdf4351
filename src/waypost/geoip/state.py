"""Which databases of places the core uses, in a file beside the others, for whoever tells about this machine."""

from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from waypost.keyfile.file import replace_file

NAME: Final = "geoip.json"
_MAX_BYTES: Final = 1 << 20


class DatabaseState(Struct, frozen=True, kw_only=True):
    """One configured database."""

    path: str
    kind: str = ""
    built_at: datetime | None = None
    """Aware, UTC; None: there is none in use."""
    problem: str = ""
    """Why what the file holds now is not used; empty when it is."""


class State(Struct, frozen=True, kw_only=True):
    """All of them, in the order in which they are asked."""

    databases: list[DatabaseState]
    stale_days: int
    """At this age a database is to be called old."""


def write_state(data: Path, state: State) -> None:
    """Say what is in use.

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
