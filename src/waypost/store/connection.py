"""From `store.url` to connections: chDB in this process, or a ClickHouse server, through the same client."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from msgspec import Struct

from waypost.store.errors import StoreInUse, StoreUrlInvalid

# Said on every connection, because each is a default that loses or refuses events somewhere.
_SETTINGS: Final = {
    # Return when the rows are in a synced part, not when they are in a buffer.
    "async_insert": 0,
    # A retry is not a duplicate here (the collector asks what is stored), and a token logged before its part was
    # renamed would make the engine refuse rows that it does not have.
    "insert_deduplicate": 0,
    # An edge with a wrong clock spreads its events over months; the default refuses a batch of more than 100.
    "max_partitions_per_insert_block": 0,
}

# The engine's defaults are a server's: caches of gigabytes. Bytes.
_EMBEDDED_OPTIONS: Final = {
    "mark_cache_size": 64 << 20,
    "index_mark_cache_size": 16 << 20,
    "query_condition_cache_size": 16 << 20,
    "compiled_expression_cache_size": 16 << 20,
    "max_server_memory_usage_to_ram_ratio": 0.5,
    "background_schedule_pool_initial_size": 2,
}


class Connection(Struct, frozen=True):
    """Ways into one store, so that a long analysis holds up neither an insert nor a look at a few sends."""

    writer: Client
    reader: Client
    glance: Client
    close: Callable[[], None]


def connect(url: str, data: Path) -> Connection:
    """Connect to the store that `url` names; empty means chDB in `data / "store"`.

    Raises:
        StoreUrlInvalid: no such kind of store.
        StoreInUse: another process owns the embedded store.
        clickhouse_connect.driver.exceptions.Error: the engine does not start, or the server does not answer.
    """
    parts = urlsplit(url)
    match parts.scheme:
        case "":
            return _embedded(data / "store")
        case "chdb":
            return _embedded(Path(unquote(parts.path)))
        case "clickhouse" | "clickhouses":
            return _server(url, secure=parts.scheme == "clickhouses")
        case scheme:
            raise StoreUrlInvalid(scheme)


def _embedded(path: Path) -> Connection:
    with ExitStack() as stack:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        stack.enter_context(_Owned(path))
        stack.enter_context(_ScratchFiles(path.with_name(f"{path.name}.tmp")))
        clients = []
        for _ in range(3):
            client = clickhouse_connect.get_client(
                interface="chdb", path=str(path), chdb_options=_EMBEDDED_OPTIONS, settings=_SETTINGS, tz_mode="aware"
            )
            stack.callback(client.close)
            clients.append(client)
        writer, reader, glance = clients
        return Connection(writer, reader, glance, stack.pop_all().close)


def _server(url: str, *, secure: bool) -> Connection:
    client = clickhouse_connect.get_client(
        dsn=url,
        secure=secure,
        settings=_SETTINGS,
        tz_mode="aware",
        # The server runs one query of a session at a time; threads share this client.
        autogenerate_session_id=False,
    )
    return Connection(client, client, client, client.close)


class _Owned:
    """Hold the embedded store for this process: chDB's own refusal does not say why."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock_path = path.with_name(f"{path.name}.lock")

    def __enter__(self) -> None:
        self._descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(self._descriptor, 32).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise StoreInUse(self._path, owner) from error
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode("ascii"))

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


class _ScratchFiles:
    """Keep the client's temporary files in the data directory, and remove what a killed process left.

    clickhouse-connect hands rows to chDB in a temporary file; in the system's directory a kill would leave readers'
    addresses there for anyone and for ever. The client offers no setting, so the process's directory is set.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        shutil.rmtree(self._path, ignore_errors=True)
        self._path.mkdir(mode=0o700, exist_ok=True)
        self._before = tempfile.tempdir
        tempfile.tempdir = str(self._path)

    def __exit__(self, *_: object) -> None:
        tempfile.tempdir = self._before
        shutil.rmtree(self._path, ignore_errors=True)
