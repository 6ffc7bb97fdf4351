"""What can be wrong with settings.

ConfigError
├── ConfigFileError     the file cannot be read or is not TOML
└── InvalidSettings     at least one key or value is wrong; carries every problem found, not only the first
"""

from dataclasses import dataclass
from pathlib import Path


class ConfigError(Exception):
    """Settings cannot be used; the message is for the operator."""


class ConfigFileError(ConfigError):
    """The settings file cannot be read or is not TOML."""

    def __init__(self, path: Path, reason: str) -> None:
        """Keep both facts as attributes."""
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """A key nobody reads: most often a typing error."""

    origin: str
    """The file, or the environment variable, it stands in."""
    key: str
    suggestion: str | None

    def __str__(self) -> str:
        hint = f"; did you mean {self.suggestion}?" if self.suggestion else ""
        return f"{self.origin}: unknown setting {self.key}{hint}"


@dataclass(frozen=True, slots=True)
class InvalidValue:
    """A value of the wrong type or out of its range."""

    origin: str
    key: str
    expected: str
    """Kind, unit and range in words: "a number of seconds from 0.001 to 1"."""
    found: str
    """As written; never the text of a secret."""

    def __str__(self) -> str:
        return f"{self.origin}: {self.key} must be {self.expected}, not {self.found}"


Problem = UnknownKey | InvalidValue


class InvalidSettings(ConfigError):
    """At least one setting is unknown or wrong."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Keep every problem found, in the order of the sources."""
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
