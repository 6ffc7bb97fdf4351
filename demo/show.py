"""What the demo prints: headings, aligned columns, and lines that are either right or wrong."""

import sys
import time
from collections.abc import Iterable, Sequence

_ON, _OFF = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
_GREEN, _RED = ("\033[32m", "\033[31m") if sys.stdout.isatty() else ("", "")
_STARTED = time.monotonic()


def heading(text: str) -> None:
    """A step begins."""
    print(f"\n{_ON}{text}{_OFF}", flush=True)


def line(text: str = "") -> None:
    """A line of a step."""
    print(f"  {text}".rstrip(), flush=True)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Rows under their header; the last column is as wide as it is."""
    cells = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    for number, row in enumerate(cells):
        text = "  ".join(f"{cell:{width}}" for cell, width in zip(row[:-1], widths[:-1], strict=True)) + f"  {row[-1]}"
        line(f"{_ON}{text}{_OFF}" if number == 0 else text)


def verdict(*, right: bool, text: str) -> None:
    """A thing that was checked."""
    line(f"{_GREEN}right{_OFF}  {text}" if right else f"{_RED}WRONG{_OFF}  {text}")


def short(text: str, width: int) -> str:
    """At most `width` characters of it."""
    return text if len(text) <= width else text[: width - 1] + "…"


def elapsed() -> str:
    """Since the demo began."""
    return f"{time.monotonic() - _STARTED:.1f} s"
