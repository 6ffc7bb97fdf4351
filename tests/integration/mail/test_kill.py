"""The queue survives kill -9 (SIGKILL) and restart."""

import asyncio
import subprocess
import sys
from collections import Counter

from tests.integration.mail.scripted_relay import serving

# The mail process alone, over an existing database; its clock is ahead by some seconds, so that leases of the dead
# are over without waiting for them.
PROGRAM = """
import asyncio, signal, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from waypost.config import load
from waypost.db import ControlKey, Database, create_engine, database_url
from waypost.links.keyring import Keyring
from waypost.mail.process import run

url, port, ahead_seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
settings = load(None, {"WAYPOST_MAIL__RELAY_PORT": port}, Path("unused"))
database = Database(create_engine(database_url(url, Path("unused"))))

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    keyring = Keyring.new(bytes(range(64)))
    await run(settings, database, lambda: keyring, ControlKey(b"k" * 32), stop,
              clock=lambda: datetime.now(UTC) + timedelta(seconds=ahead_seconds))

asyncio.run(main())
"""
MESSAGES = 50


# The relay has taken so many when the process is killed.
KILLED_AFTER = (1, 25)


def test_killed_again_and_again_every_message_arrives_and_its_story_is_told_once(install):
    sends = {f"{n}@example.net": install.accept(f"{n}@example.net", click_tracking=True) for n in range(MESSAGES)}
    url = install.database.engine.url.render_as_string(hide_password=False)

    def start(ahead_seconds):
        return subprocess.Popen([sys.executable, "-c", PROGRAM, url, str(install.relay.port), str(ahead_seconds)])

    async def story():
        async with serving(install.relay):
            for number, taken in enumerate(KILLED_AFTER):
                process = start(60 * number)
                try:
                    await install.relay.has_taken(taken)
                finally:
                    process.kill()
                    process.wait()
            process = start(60 * len(KILLED_AFTER))
            try:
                await install.idle()
            finally:
                process.terminate()
            assert await asyncio.to_thread(process.wait, 60) == 0

    asyncio.run(asyncio.wait_for(story(), 240))
    arrived = Counter(install.relay.recipients())
    assert set(arrived) == set(sends)
    # SMTP has no exactly-once: what the relay took and a killed process could not record, comes again: at most
    # one for each connection.
    assert sum(arrived.values()) - MESSAGES <= len(KILLED_AFTER) * install.settings.mail.connections
    assert len({raw for _, _, raw in install.relay.messages}) == MESSAGES, "what comes again is the same, byte for byte"
    for send_id in sends.values():
        assert [name for name, _ in install.events(send_id)] == ["processed", "sent", "delivered"]
