"""Which link keys the edges hold, here and elsewhere: all must hold a key before links are sealed with it."""

import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from waypost.cli.options import load_settings

if TYPE_CHECKING:
    from waypost.db import Database
    from waypost.links.keyring import Key, Keyring

ALIVE_SECONDS: Final = 10
"""A worker says every second that it lives."""


def lacking(data: Path, config: Path | None, key: "Key") -> list[str]:
    """What is to be said of each edge that does not open tokens of a key yet; empty: it may mint.

    Raises:
        click.ClickException: the control database, which knows the edges elsewhere, cannot be asked.
    """
    here = [
        f"{worker}, on this machine, has not read it yet"
        for worker, key_ids in _workers(data).items()
        if key.key_id not in key_ids
    ]

    def elsewhere(database: "Database") -> list[str]:
        from waypost.control.edges.service import edges_without  # noqa: PLC0415 -- the bare install has no edges

        return edges_without(database, key)

    return here + _ask(data, config, elsewhere)


def blocking(data: Path, config: Path | None, key: "Key") -> list[str]:
    """The ids of the blocks that switch off links sealed with a key; empty: there is none.

    Raises:
        click.ClickException: as `lacking`.
    """

    def asked(database: "Database") -> list[str]:
        from waypost.control.blocks.service import blocks_of_key  # noqa: PLC0415 -- as said above

        return blocks_of_key(database, key.key_id)

    return _ask(data, config, asked)


def beyond(data: Path, config: Path | None, keyring: "Keyring") -> list[str]:
    """What is to be said of each edge that holds a key which this keyring lacks; empty: the keyring is the newest.

    Raises:
        click.ClickException: as `lacking`.
    """
    known = {key.key_id for key in keyring.keys}
    here = [
        f"{worker}, on this machine, holds key {', '.join(map(str, sorted(key_ids - known)))}"
        for worker, key_ids in _workers(data).items()
        if key_ids - known
    ]

    def elsewhere(database: "Database") -> list[str]:
        from waypost.control.edges.service import edges_beyond  # noqa: PLC0415 -- as said above

        return edges_beyond(database, keyring)

    return here + _ask(data, config, elsewhere)


def check_newest(data: Path, keyring: "Keyring") -> None:
    """Refuse a keyring that lacks the key which the core here published with.

    Raises:
        KeyringOutdated: as said.
    """
    if _has_edges():
        from waypost.keyfile.snapshot import check_keyring_is_newest  # noqa: PLC0415 -- as said above

        check_keyring_is_newest(data, keyring)


def origin(data: Path, config: Path | None) -> str | None:
    """The core that the keyring here is fetched from, as on the machine of an edge; None: it is the one that counts.

    Raises:
        click.UsageError: the settings are wrong.
    """
    if not _has_edges():
        return None
    from waypost.keyfile.snapshot import snapshot_path  # noqa: PLC0415 -- as said above

    if _is_core(data, config):
        return None
    if url := load_settings(config, data).edge.control_url:
        return url
    # The settings may not have been named; but only a core publishes.
    return "a core elsewhere" if snapshot_path(data).exists() else None


def wait_for_all(
    data: Path, config: Path | None, key: "Key", seconds: float, sleep: Callable[[float], None] = time.sleep
) -> list[str]:
    """As `lacking`, once nobody lacks it or the time is over."""
    end = time.monotonic() + seconds
    while (found := lacking(data, config, key)) and time.monotonic() < end:
        sleep(0.2)
    return found


def _has_edges() -> bool:
    """Whether what an edge needs is installed: where it is not, none runs."""
    return find_spec("ada_url") is not None


def _workers(data: Path) -> Mapping[str, frozenset[int]]:
    """The key ids of each worker that lives on this data directory."""
    if not _has_edges():
        return {}
    from waypost.spool.conservation import worker_directories  # noqa: PLC0415 -- as said above
    from waypost.spool.counters import read_status  # noqa: PLC0415

    found = {directory.name: read_status(directory) for directory in worker_directories(data / "spool")}
    return {
        name: status.key_ids
        for name, status in found.items()
        if status is not None and abs(time.time() - status.heartbeat_at_ms / 1000) < ALIVE_SECONDS
    }


def _ask(data: Path, config: Path | None, question: "Callable[[Database], list[str]]") -> list[str]:
    """The answer of the control database; none where there is none, as on the machine of an edge."""
    if not find_spec("sqlalchemy"):
        return []
    from waypost.cli.control_database import control_database, has_control_database  # noqa: PLC0415 -- as said above

    if has_control_database(config, data):
        with control_database(config, data) as (_, database):
            return question(database)
    if _is_core(data, config):
        # Taken for an install without edges elsewhere, it would have links sealed that do not open there.
        raise click.ClickException(
            f"{data} is the core's, and its control database, which knows the edges elsewhere, is not there: name the "
            "settings that the core is started with (--config FILE, or WAYPOST_DB__URL)."
        )
    return []


def _is_core(data: Path, config: Path | None) -> bool:
    """Whether a data directory is that of a core, whose database may be elsewhere and not be named."""
    if not find_spec("sqlalchemy"):
        return False
    from waypost.cli.control_database import has_control_database  # noqa: PLC0415 -- as said above
    from waypost.db import CONTROL_KEY_FILE  # noqa: PLC0415

    return (data / CONTROL_KEY_FILE).exists() or has_control_database(config, data)
