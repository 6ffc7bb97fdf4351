"""What a process says that cannot listen where it is to."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from waypost.control.process import CannotListenError


@contextmanager
def listening_at(where: object) -> Iterator[None]:
    """Run a process whose parts are tasks of a group; that one of them cannot listen at `where` is said plainly.

    Raises:
        click.ClickException: it could not, and nothing else went wrong.
    """
    try:
        yield
    except ExceptionGroup as failures:
        refused, others = failures.split(CannotListenError)
        if others is not None or refused is None:
            raise
        raise click.ClickException(f"cannot serve on {where}: {refused.exceptions[0]}") from failures
