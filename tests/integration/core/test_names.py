"""A resolver that answers nothing costs mail, which waits for its relay, and nothing else of the core."""

import itertools
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest
from tests.acceptance.operator import eventually
from tests.integration.mail.install import CONTROL_KEY_TEXT, Install, account_and_profile
from tests.ports import free_ports

from waypost.config import load
from waypost.control.publishing.service import snapshot_changes
from waypost.db import Database, create_engine, database_url, migrate
from waypost.keyfile import create_keyring, keyring_path, load_keyring
from waypost.keyfile.snapshot import load_snapshot, snapshot_path

CORE_WHOSE_RELAY_HAS_A_NAME_THAT_NOBODY_LOOKS_UP = """
import os, socket, threading
looked_up = socket.getaddrinfo

def asked(host, *arguments, **options):
    if host == "relay.example":
        os.write(1, b"asked\\n")
        threading.Event().wait()
    return looked_up(host, *arguments, **options)

socket.getaddrinfo = asked
from waypost.cli.main import main
main(["core"])
"""
CONNECTIONS = 30


@pytest.fixture
def data(tmp_path):
    """An install with more mail that waits than there are connections."""
    data = tmp_path / "data"
    create_keyring(keyring_path(data))
    (data / "control.key").touch(mode=0o600)
    (data / "control.key").write_text(CONTROL_KEY_TEXT)
    database = Database(create_engine(database_url("", data)))
    migrate(database)
    account_and_profile(database)
    install = Install(database, load(None, {}, data), relay=None, clock=lambda: datetime.now(UTC))
    for number in range(CONNECTIONS + 1):
        install.accept(f"{number}@example.net")
    database.close()
    return data


def test_what_is_blocked_is_published_while_every_connection_waits_for_a_name(data):
    environment = {
        "WAYPOST_DATA": str(data),
        "WAYPOST_CONTROL__LISTEN": f"127.0.0.1:{free_ports(1)[0]}",
        "WAYPOST_MAIL__RELAY_HOST": "relay.example",
        "WAYPOST_MAIL__CONNECTIONS": str(CONNECTIONS),
        "WAYPOST_MAIL__HOSTNAME": "waypost.test",
    }
    program = [sys.executable, "-c", CORE_WHOSE_RELAY_HAS_A_NAME_THAT_NOBODY_LOOKS_UP]
    core = subprocess.Popen(program, env=os.environ | environment, stdout=subprocess.PIPE, text=True)
    impatient = threading.Timer(60, core.kill)
    impatient.start()
    try:
        lines = itertools.takewhile(bool, iter(core.stdout.readline, None))
        asked = len(list(itertools.islice(filter("asked\n".__eq__, lines), CONNECTIONS)))
        assert asked == CONNECTIONS
        database = Database(create_engine(database_url("", data)))
        with database.writing() as session:
            snapshot_changes(session, now := datetime.now(UTC))
        database.close()
        keyring = load_keyring(keyring_path(data))
        eventually(lambda: load_snapshot(snapshot_path(data), keyring).published_at == now)
    finally:
        impatient.cancel()
        core.kill()
        core.communicate()
