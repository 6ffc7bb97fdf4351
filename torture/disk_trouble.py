"""A worker whose disk is in trouble, seen from outside: what it lost, what /readyz says, how long each takes, and
whether all is right once the trouble is over."""

import json
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection

from torture.gate import Scale, failed
from torture.load import Readers
from torture.oracle import Fate, compare, spooled, unaccounted
from torture.processes import Install
from waypost.spool.counters import LOST, Count, read_counters

SAID_SECONDS = {Scale.SHORT: 15.0, Scale.FULL: 5.0}
"""By /readyz. Beside other tests a machine stands still for some."""
RECOVERED_SECONDS = 5.0


def lost_clicks(install: Install) -> int:
    """Counted lost, for whatever reason."""
    counts = read_counters(install.worker_spool())
    return sum(counts[count] for count in LOST)


def says_failing(install: Install) -> bool:
    """Whether the machine's /readyz names the worker as one that keeps no clicks."""
    with closing(HTTPConnection("127.0.0.1", install.internal_port, timeout=5)) as asking:
        asking.request("GET", "/readyz")
        answer = asking.getresponse()
        workers = json.loads(answer.read())["workers"]
    return answer.status == HTTPStatus.SERVICE_UNAVAILABLE and any(worker["failing"] for worker in workers)


def seconds_until(holds: Callable[[], bool], seconds: float) -> float:
    """Seconds until it is so; -1 when it never was."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if holds():
            return time.monotonic() - began
        time.sleep(0.02)
    return -1.0


def end_trouble(install: Install, end: Callable[[], object], scale: Scale) -> tuple[float, float]:
    """While readers click: seconds until clicks are kept again, and until /readyz says so; -1 when they never are."""
    kept = read_counters(install.worker_spool())[Count.KEPT]
    end()
    recovered = seconds_until(lambda: read_counters(install.worker_spool())[Count.KEPT] > kept, 60)
    return recovered, seconds_until(lambda: not says_failing(install), SAID_SECONDS[scale])


def judge(
    install: Install, readers: Readers, *, also: Iterable[int], recovered: float, quiet: float
) -> tuple[Fate, int, tuple[str, ...]]:
    """What became of the clicks once all has ended, how many are counted lost, and what is wrong with that.

    Args:
        install: its worker has sealed what it had.
        readers: have stopped.
        also: clicks that were answered besides.
        recovered: of `end_trouble`.
        quiet: of `end_trouble`.
    """
    found, damaged = spooled(install.spool)
    fate, lost, open_account = (
        compare([*readers.answered(), *also], found),
        lost_clicks(install),
        unaccounted(install.spool),
    )
    return (
        fate,
        lost,
        failed(
            (quiet < 0, "/readyz did not say that clicks are kept again"),
            (readers.cut_off or readers.wrong, f"{readers.cut_off} cut off, wrong: {readers.wrong[:1]}"),
            (fate.missing != lost, f"{fate.missing} are missing and {lost} are counted lost"),
            (fate.repeated, f"{fate.repeated} are there twice"),
            (damaged, f"damaged: {damaged[:3]}"),
            (not 0 <= recovered < RECOVERED_SECONDS, f"clicks were kept again after {recovered:.1f} s"),
            (open_account, f"the account does not add up: {open_account}"),
        ),
    )
