"""Edge machines with a core elsewhere: `waypost edge` on a data directory of its own, started and killed as a whole."""

import json
import os
import re
import select
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from click.testing import CliRunner, Result

from torture.processes import ENDS_WITH_THIS, READY_SECONDS, WAYPOST, Install, Started
from waypost.cli.main import main
from waypost.spool.segments import OPEN_SUFFIX, SEALED_SUFFIX

HANDED_OVER_SECONDS = 120.0
"""A core that was down is asked again within 15 s."""
CREDENTIAL = re.compile(r"wpe_[A-Za-z0-9_-]{43}")


class EdgeMachine(Install):
    """A machine that is registered with a core; it has no keyring before its first start.

    Args:
        folder: its own.
        core: whose it is; its database is there already.
        name: of the edge.
        control_url: where the core is, seen from here.
        settings: besides, by their environment names.
    """

    def __init__(
        self, folder: Path, core: Install, name: str, control_url: str, settings: Mapping[str, str] | None = None
    ) -> None:
        added = operate(core, "edges", "add", name)
        super().__init__(
            folder,
            {
                "WAYPOST_EDGE__NAME": name,
                "WAYPOST_EDGE__CONTROL_URL": control_url,
                "WAYPOST_EDGE__CREDENTIAL": CREDENTIAL.search(added.output)[0],
                **(settings or {}),
            },
            listeners=False,
            keyring=False,
        )
        self.name = name
        self.running: Started | None = None

    def begin(self, *options: str) -> Started:
        """Start everything on it."""
        self.running = self.start("edge", [*ENDS_WITH_THIS, *WAYPOST, "edge", *options])
        return self.running

    def kill(self) -> None:
        """Everything on it at once, with SIGKILL; returns when nothing of it is left."""
        with ExitStack() as watched:
            ends = [(pid, watched.enter_context(_end_of(pid))) for pid in self.processes()]
            for pid, _ in ends:
                os.kill(pid, signal.SIGKILL)
            for _, end in ends:
                select.select([end], [], [])
        self.running.kill()

    def processes(self) -> list[int]:
        """The supervisor first, which would start the others again, then they."""
        first = self.running.process.pid
        return [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]

    def wait_in_rotation(self, seconds: float = READY_SECONDS) -> None:
        """Until /readyz is green.

        Raises:
            AssertionError: it stays red.
        """
        deadline = time.monotonic() + seconds
        while not (told := self.readiness()).get("ready"):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} is not ready: {told.get('problems')}")
            time.sleep(0.1)

    def wait_handed_over(self, seconds: float = HANDED_OVER_SECONDS) -> None:
        """Until every click is the core's; nobody clicks any more.

        Raises:
            AssertionError: it did not happen.
        """
        deadline = time.monotonic() + seconds
        while left := [path.name for suffix in (OPEN_SUFFIX, SEALED_SUFFIX) for path in self.spool.rglob(f"*{suffix}")]:
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} still has {left}")
            time.sleep(0.05)

    def readiness(self) -> dict:
        """What its /readyz says; empty when it says nothing."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.internal_port}/readyz", timeout=5) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)
        except OSError:
            return {}


def operate(core: Install, *command: str) -> Result:
    """A waypost command on a core's data directory, in this process: a new one takes seconds to import its database."""
    return CliRunner().invoke(main, [*command, "--data", str(core.data)], env=core.settings)


@contextmanager
def _end_of(pid: int) -> Iterator[int]:
    """A descriptor that is readable once the process has ended (pidfd_open(2))."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
