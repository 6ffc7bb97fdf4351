"""Rows under their header, for a terminal."""

from collections.abc import Iterable, Iterator, Sequence

import click

from waypost.cli.printable import one_line


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table. Arguments as for `table_lines`."""
    for line in table_lines(header, rows):
        click.echo(line)


def table_lines(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> Iterator[str]:
    """The lines of a table: columns aligned, two spaces apart.

    Args:
        header: of the columns.
        rows: one cell for each; what is in them may be a stranger's.
        numbers: all columns but the first are numbers, and stand to the right.
    """
    lines = [header, *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for name, *cells in lines:
        padded = (
            cell.rjust(width) if numbers else cell.ljust(width) for cell, width in zip(cells, widths[1:], strict=True)
        )
        yield "  ".join((name.ljust(widths[0]), *padded)).rstrip()
