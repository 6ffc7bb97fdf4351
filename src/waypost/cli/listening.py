"""What a process says that cannot listen where it is to."""

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def listening_at(where: object) -> Iterator[None]:
    """Run a process whose parts are tasks of a group; that one of them could not listen at `where` is said plainly.

    Raises:
        click.ClickException: it could not, and nothing else went wrong.
    """
    try:
        yield
    except ExceptionGroup as failures:
        in_use, others = failures.split(OSError)
        if others is not None or in_use is None:
            raise
        raise click.ClickException(f"cannot serve on {where}: {in_use.exceptions[0]}") from failures
