"""What is said plainly is that a process cannot listen, and nothing else."""

import asyncio
import errno

import click
import pytest

from waypost.cli.listening import listening_at
from waypost.control.forwarding import serve_forwarded
from waypost.control.process import CannotListenError


async def failing_with(*errors):
    async def part(error):
        raise error

    async with asyncio.TaskGroup() as parts:
        for error in errors:
            parts.create_task(part(error))


CANNOT_LISTEN = CannotListenError(errno.EADDRINUSE, "Address already in use: 127.0.0.1:80")
DISK_FULL = OSError(errno.ENOSPC, "No space left on device")


def test_that_it_cannot_listen_is_a_sentence():
    with pytest.raises(click.ClickException) as said, listening_at("127.0.0.1:80"):
        asyncio.run(failing_with(CANNOT_LISTEN))
    assert said.value.message == f"cannot serve on 127.0.0.1:80: {CANNOT_LISTEN}"


def test_a_socket_that_cannot_be_had_is_a_sentence_too(tmp_path):
    async def run():
        async with asyncio.TaskGroup() as parts:
            parts.create_task(serve_forwarded(None, tmp_path / "none" / "socket", asyncio.Event()))

    with pytest.raises(click.ClickException, match="cannot serve on the socket: "), listening_at("the socket"):
        asyncio.run(run())


@pytest.mark.parametrize("errors", [[DISK_FULL], [CANNOT_LISTEN, DISK_FULL]])
def test_any_other_error_of_the_system_stays_what_it_is(errors):
    with pytest.raises(ExceptionGroup) as failed, listening_at("127.0.0.1:80"):
        asyncio.run(failing_with(*errors))
    assert list(failed.value.exceptions) == errors
