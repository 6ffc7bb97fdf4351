"""Whether a click may interrupt who is at work on the worker's core, above all the TLS front.

The default of the kernel is that it may: whoever was asked gets the core from whoever has it. Where a core is busy that
makes both slow: front and worker throw each other out of its caches, for each click. Then a worker waits while others
are at work, for as long as the kernel lets each work in one go, and answers the clicks that come meanwhile together
(sched(7), SCHED_BATCH). Where there is room it waits for nobody: a reader would only wait longer.
"""

import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

BUSY: Final = 0.6
"""From this share of the time on that the worker's cores are at work, it waits."""

_STAT: Final = Path("/proc/stat")
_TIMES: Final = slice(8)
_IDLE: Final = slice(3, 5)
"""Fields of a core's line (proc(5)): all but a guest's, which are in others; idle, and waiting for a disk."""

log = logging.getLogger(__name__)


class Courtesy:
    """Looks how busy the cores are that this process may run on, and has its threads wait or not."""

    def __init__(self, stat: Path = _STAT) -> None:
        self._stat = stat
        self._before: tuple[int, int] | None = None
        self._policy = os.SCHED_OTHER
        self._possible = True

    def look(self) -> None:
        """See how busy they were since the last look. To be called every second or so."""
        if not self._possible:
            return
        try:
            now, before = self._times(), self._before
            self._before = now
            if before is not None:
                idle, passed = now[0] - before[0], now[1] - before[1]
                self._follow(os.SCHED_BATCH if idle < (1 - BUSY) * passed else os.SCHED_OTHER)
        except OSError as error:
            self._possible = False
            log.warning("clicks may interrupt the TLS front on a busy core: %s", error)

    def _times(self) -> tuple[int, int]:
        """How long the cores were idle, and how long there was, since the machine started."""
        names = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        lines = (line.split() for line in self._stat.read_text("ascii").splitlines())
        cores = [[int(ticks) for ticks in line[1:]] for line in lines if line and line[0] in names]
        return sum(sum(core[_IDLE]) for core in cores), sum(sum(core[_TIMES]) for core in cores)

    def _follow(self, policy: int) -> None:
        if policy == self._policy:
            return
        self._policy = policy
        for thread in threading.enumerate():  # one that is started later does as who starts it
            if thread.native_id is not None:
                with suppress(ProcessLookupError):  # it has ended
                    os.sched_setscheduler(thread.native_id, policy, os.sched_param(0))
