"""A worker whose disk is in trouble, seen from outside: what it lost, what /readyz says, how long each takes."""

import json
import time
from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection

from torture.gate import Scale
from torture.processes import Install
from waypost.spool.counters import LOST, read_counters

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
