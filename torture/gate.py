"""What a gate gets and what it gives back: one module each, most of them `g<number>_<what>.py`, each with
`run(scale, progress, rng)`.

A module's docstring begins with what it shows, in one line: the claim in the table of results.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Protocol

STATE_NAME = "state.json"
SECONDS_NAME = "seconds"


class Scale(StrEnum):
    """How much of it."""

    SHORT = "short"
    """Seconds: for every run of the tests."""
    FULL = "full"
    """What the gate demands."""


@dataclass(frozen=True)
class Result:
    """What a gate found.

    Attributes:
        figures: what was measured, by what it is called in the table.
        failures: each a sentence about what did not hold; none: the gate holds.
    """

    figures: Mapping[str, int | float | str]
    failures: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        return not self.failures


@dataclass
class Progress:
    """A gate's own directory, and how it says where it is.

    Attributes:
        directory: exists; kept until the gate is done, so that a run that was stopped can go on.
    """

    directory: Path
    show: Callable[[str], None] = field(default=lambda _: None)
    _began: float = field(default_factory=time.monotonic)
    _before: float = 0.0

    def __post_init__(self) -> None:
        spent = self.directory / SECONDS_NAME
        self._before = float(spent.read_text()) if spent.exists() else 0.0

    def seconds(self) -> float:
        """Spent so far, runs before a stop included."""
        return round(self._before + time.monotonic() - self._began, 1)

    def say(self, text: str) -> None:
        """Where it is, for who watches."""
        self.show(text)

    def load(self) -> dict:
        """What was saved last; empty at the first start."""
        try:
            return json.loads((self.directory / STATE_NAME).read_text())
        except FileNotFoundError:
            return {}

    def save(self, state: Mapping) -> None:
        """Go on from here after a stop. Plain values only."""
        new = self.directory / f"{STATE_NAME}.new"
        new.write_text(json.dumps(state))
        new.replace(self.directory / STATE_NAME)
        self.note_seconds()

    def note_seconds(self) -> None:
        """So that a run that goes on knows what was spent before it."""
        (self.directory / SECONDS_NAME).write_text(f"{self.seconds()}")


def failed(*checks: tuple[object, str]) -> tuple[str, ...]:
    """What did not hold: the sentences of the checks whose first part is true, or not empty."""
    return tuple(sentence for wrong, sentence in checks if wrong)


class Gate(Protocol):
    """A module of this package."""

    def run(self, scale: Scale, progress: Progress, rng: Random) -> Result: ...
