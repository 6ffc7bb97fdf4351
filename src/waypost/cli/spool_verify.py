"""What `waypost spool verify` says: of each segment file whether it is whole, or what is damaged in it."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from waypost.cli.printable import one_line
from waypost.spool.framing import DamageReason
from waypost.spool.inspection import Inspection, inspect_segment
from waypost.spool.names import (
    DONE_SUFFIX,
    OPEN_SUFFIX,
    QUARANTINE_SUFFIX,
    REPLAY_SUFFIX,
    SEALED_SUFFIX,
    entry_of,
    segment_id,
)

_STATES: Final = {
    OPEN_SUFFIX: "open",
    SEALED_SUFFIX: "sealed",
    REPLAY_SUFFIX: "handed back",
    DONE_SUFFIX: "stored",
    QUARANTINE_SUFFIX: "set aside",
}
_REASONS: Final = {
    DamageReason.HEADER: "the header's checksum is wrong",
    DamageReason.FRAME: "no record with a right checksum",
    DamageReason.PAYLOAD: "the checksum is right and what it covers is no click",
    DamageReason.TRUNCATED: "the end is missing; how many records it had is not known",
}
_UNREADABLE: Final = {
    "foreign": "DAMAGED: it is no segment, or damaged beyond its first record",
    "version": "of a later release than this one: upgrade to read it",
}
_NUMBERS_SHOWN: Final = 10
"""Ranges of record numbers in one line: a file cut to pieces has thousands."""
_PROGRESS_SECONDS: Final = 0.1


@dataclass(slots=True)
class Summary:
    """How many segments were looked at."""

    whole: int = 0
    damaged: int = 0
    gone: int = 0
    """Taken away between being listed and being read."""
    damaged_in: dict[str, int] = field(default_factory=dict)
    """By state."""


def segment_files(directory: Path) -> list[Path]:
    """Every segment below a directory, whatever its state: by worker, oldest first.

    Raises:
        OSError: a directory cannot be listed.
    """
    found: list[Path] = []
    for path in sorted(directory.iterdir()):
        if path.is_dir():
            found += segment_files(path)
        elif path.suffix in _STATES:
            found.append(path)
    return found


def verify(paths: Sequence[Path], *, quiet: bool) -> Summary:
    """Look at each file and print what is found.

    Args:
        paths: of segment files.
        quiet: say nothing of those that are whole.

    Raises:
        PermissionError: this user may not read one.
    """
    summary = Summary()
    progress = _Progress(len(paths))
    for done, path in enumerate(paths):
        progress.show(done)
        try:
            inspection = inspect_segment(path)
        except FileNotFoundError:
            summary.gone += 1
            continue
        except PermissionError:
            progress.clear()
            raise
        except OSError as error:
            lines, whole = [f"DAMAGED: it cannot be read ({error.strerror})"], False
        else:
            lines, whole = list(_findings(path, inspection)), inspection.is_whole
        if whole:
            summary.whole += 1
        else:
            summary.damaged += 1
            state = _state(path)
            summary.damaged_in[state] = summary.damaged_in.get(state, 0) + 1
        if not (whole and quiet):
            progress.clear()
            click.echo(f"{_name(path)}  {lines[0]}")
            for line in lines[1:]:
                click.echo(f"    {line}")
    progress.clear()
    return summary


def _name(path: Path) -> str:
    return one_line(f"{path.parent.name}/{path.name}")


def _state(path: Path) -> str:
    return _STATES.get(path.suffix, "sealed")


def _findings(path: Path, found: Inspection) -> Iterator[str]:
    """The first line says it all, in short."""
    if found.unreadable:
        yield f"{_state(path)}, {_UNREADABLE[found.unreadable]}"
        return
    missing = sum(map(len, found.missing))
    if found.is_whole:
        yield f"{_state(path)}, whole: {_records(found.records)}{_counted(path)}"
    else:
        yield (
            f"{_state(path)}, DAMAGED: {_records(found.records)} can be read and {missing:,} known to be gone cannot"
            f"{_counted(path)}"
        )
    if found.unfinished:
        yield f"the last {found.unfinished:,} bytes are no record yet: its writer is at it, or was killed at it"
    for damage in found.damaged:
        where = f"bytes {damage.offset:,} to {damage.offset + damage.length - 1:,}"
        if not damage.length:
            where = f"byte {damage.offset:,}"
        yield f"{where}: {_REASONS[damage.reason]}"
    if found.missing:
        shown = ", ".join(_numbers(each) for each in found.missing[:_NUMBERS_SHOWN])
        more = ", …" if len(found.missing) > _NUMBERS_SHOWN else ""
        yield f"records that cannot be read, counted from 0: {shown}{more}"


def _counted(path: Path) -> str:
    if path.stem == segment_id(path):
        return ""
    entry = entry_of(path)
    return f"; counted as {entry.stored:,} stored and {entry.quarantined:,} quarantined"


def _numbers(numbers: range) -> str:
    return f"{numbers.start:,}" if len(numbers) == 1 else f"{numbers.start:,} to {numbers[-1]:,}"


def _records(number: int) -> str:
    return "1 record" if number == 1 else f"{number:,} records"


class _Progress:
    """A line that is written over, on a terminal only."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._is_terminal = sys.stderr.isatty()
        self._shown_at = time.monotonic()
        self._is_shown = False

    def show(self, done: int) -> None:
        if self._is_terminal and time.monotonic() - self._shown_at >= _PROGRESS_SECONDS:
            self._shown_at = time.monotonic()
            self._is_shown = True
            click.echo(f"\r{done:,} of {self._total:,} segments", nl=False, err=True)

    def clear(self) -> None:
        if self._is_shown:
            self._is_shown = False
            click.echo("\r\x1b[K", nl=False, err=True)
