"""What is said plainly is that a process cannot listen, and nothing else."""

import asyncio
import errno

import click
import pytest
from click.testing import CliRunner

from waypost.cli.agent import agent
from waypost.cli.edge_worker import edge_worker
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


PROCESSES = [(edge_worker, "waypost.edge.process.run"), (agent, "waypost.agent.process.run")]
IDS = ["worker", "agent"]


def ended_with(command, run, error, monkeypatch, data, *options):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(run, fail)
    monkeypatch.setattr("waypost.telemetry.logs.configure", lambda _: None)  # of this process, whose log others read
    return CliRunner().invoke(command, ["--data", str(data), *options])


@pytest.mark.parametrize(("command", "run"), PROCESSES, ids=IDS)
def test_a_process_of_an_edge_that_cannot_listen_says_so(command, run, monkeypatch, tmp_path):
    result = ended_with(command, run, OSError(errno.EADDRINUSE, "Address already in use"), monkeypatch, tmp_path)
    assert result.exit_code == 1
    assert "cannot serve on 127.0.0.1:802" in result.output


@pytest.mark.parametrize(("command", "run"), PROCESSES, ids=IDS)
@pytest.mark.parametrize(
    ("error", "options"),
    [(OSError(errno.ENOSPC, "No space", "/spool/edge-0"), ()), (DISK_FULL, ("--listener", "3"))],
    ids=["of a file", "given a socket"],
)
def test_what_else_fails_in_a_process_of_an_edge_is_not_taken_for_that(
    command, run, error, options, monkeypatch, tmp_path
):
    assert ended_with(command, run, error, monkeypatch, tmp_path, *options).exception is error
