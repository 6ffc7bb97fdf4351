"""A PostgreSQL server of one's own: of a test run, of a benchmark."""

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.debian import require


@dataclass
class PostgreSQL:
    """A server on a Unix socket in `directory`."""

    directory: Path
    _numbers: itertools.count = field(default_factory=itertools.count)

    def new_database(self) -> str:
        """An empty database: its SQLAlchemy URL."""
        name = f"test_{next(self._numbers)}"
        self.administer(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://waypost@/{name}?host={self.directory}"

    def administer(self, *statements: str) -> None:
        """Run statements as the superuser, outside any test's database."""
        with psycopg.connect(f"host={self.directory} user=waypost dbname=postgres", autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


@contextlib.contextmanager
def running(*, durable: bool) -> Iterator[PostgreSQL]:
    """A new server until the block ends; when it is not durable, commits do not wait for the disk."""
    initdb = require("postgresql", binary="initdb")
    # Not under pytest's own directory: PostgreSQL refuses to run as root, and its user cannot look in there. The path
    # is short because a Unix socket's may have 107 bytes.
    # Said in full, for an open event store has `tempfile` use a directory of its own.
    directory = Path(tempfile.mkdtemp(prefix="waypost-pg-", dir="/tmp"))
    as_server = []
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres", "postgres")
        as_server = ["runuser", "-u", "postgres", "--"]

    def run(*command: object) -> None:
        done = subprocess.run(
            [*as_server, *map(str, command)], cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()

    data, pg_ctl = directory / "data", initdb.with_name("pg_ctl")
    run(initdb, "-D", data, "-U", "waypost", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
    options = f"-k {directory} -c listen_addresses='' -c max_connections=200 -c fsync={'on' if durable else 'off'}"
    # With a log file: a server that kept our pipes would keep `run` waiting for their end.
    run(pg_ctl, "-D", data, "-o", options, "-l", directory / "log", "--wait", "start")
    try:
        yield PostgreSQL(directory)
    finally:
        run(pg_ctl, "-D", data, "--mode=immediate", "--wait", "stop")
        # Beside what comes next: each database has 300 files, and a busy disk takes minutes for those of a test run.
        subprocess.run(["sh", "-c", 'rm -rf "$0" >/dev/null 2>&1 &', directory], check=True)
