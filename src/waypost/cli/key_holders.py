"""Who must hold a link key before links are sealed with it: the edges here, and those registered elsewhere."""

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from waypost.links.keyring import Key

ALIVE_SECONDS: Final = 10
"""A worker says every second that it lives."""


def lacking(data: Path, config: Path | None, key: "Key") -> list[str]:
    """What is to be said of each edge that does not open tokens of a key yet; empty: it may mint.

    Raises:
        click.ClickException: the control database, which knows the edges elsewhere, cannot be asked.
    """
    found = []
    # The bare install has neither edges nor a database.
    if find_spec("msgspec"):
        found += _workers_without(data, key)
    if find_spec("sqlalchemy"):
        found += _edges_without(data, config, key)
    return found


def wait_for_all(
    data: Path, config: Path | None, key: "Key", seconds: float, sleep: Callable[[float], None] = time.sleep
) -> list[str]:
    """As `lacking`, once nobody lacks it or the time is over."""
    end = time.monotonic() + seconds
    while (found := lacking(data, config, key)) and time.monotonic() < end:
        sleep(0.2)
    return found


def _workers_without(data: Path, key: "Key") -> list[str]:
    from waypost.spool.conservation import worker_directories  # noqa: PLC0415 -- as said above
    from waypost.spool.counters import read_status  # noqa: PLC0415

    found = []
    for directory in worker_directories(data / "spool"):
        status = read_status(directory)
        alive = status is not None and abs(time.time() - status.heartbeat_at_ms / 1000) < ALIVE_SECONDS
        if status is not None and alive and key.key_id not in status.key_ids:
            found.append(f"{directory.name}, on this machine, has not read it yet")
    return found


def _edges_without(data: Path, config: Path | None, key: "Key") -> list[str]:
    from waypost.cli.control_database import control_database, has_control_database  # noqa: PLC0415
    from waypost.control.edges.service import edges_without  # noqa: PLC0415

    if not has_control_database(config, data):
        return []
    with control_database(config, data) as (_, database):
        return edges_without(database, key)
