"""What people make of a TXT record's value when they enter it into a form."""

from typing import Final

_QUOTATION_MARKS: Final = "\"'“”„"


def as_entered(value: str) -> str:
    """The value without what was typed around it or in it by mistake: quotation marks, backslashes, outer spaces."""
    return "".join(character for character in value if character not in _QUOTATION_MARKS + "\\").strip()


def is_quoted(value: str) -> bool:
    """Whether it holds quotation marks, which no value of ours does."""
    return any(mark in value for mark in _QUOTATION_MARKS)
