"""A collector in a process of its own, to be killed: `collect.py DATA [BATCH_RECORDS] [--die INSTANT] [--keep]`.

INSTANT is "before-insert", "after-insert", "before-count" (the segment is renamed and not in the ledger yet) or
"between-deletes"; --keep keeps what is stored. Prints "collecting" when it begins, and when done what the store holds
as JSON: [segment, record, how often].
"""

import argparse
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

from waypost.events.client_parser import ClientParser
from waypost.pipeline import collector
from waypost.pipeline.counts import Counts
from waypost.pipeline.enrich import Enricher, client_step
from waypost.pipeline.hold import hold
from waypost.spool.files import Files
from waypost.store import EventStore


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def after(work):
    """Do `work`, then die."""

    def both(*args, **named):
        work(*args, **named)
        die()

    return both


arguments = argparse.ArgumentParser()
arguments.add_argument("data", type=Path)
arguments.add_argument("batch", type=int, nargs="?", default=20_000)
arguments.add_argument("--die", default="")
arguments.add_argument("--keep", action="store_true")
given = arguments.parse_args()

collector._BATCH_RECORDS = given.batch
match given.die:
    case "before-insert":
        EventStore.insert_hits = die
    case "after-insert":
        EventStore.insert_hits = after(EventStore.insert_hits)
    case "before-count":
        Files.rename = after(Files.rename)
    case "between-deletes":
        collector.Ledger.settle = after(collector.Ledger.settle)

spool = given.data / "spool"
counts = Counts()
with hold(spool):
    store = EventStore.open("", given.data)
    enricher = Enricher(counts, client=client_step(ClientParser()))
    keep_seconds = 3600 if given.keep else 0
    running = collector.Collector(
        spool, store, enricher, counts, now=lambda: datetime.now(UTC), keep_seconds=keep_seconds
    )
    print("collecting", flush=True)
    running.collect()
    held = store._query("test", "SELECT segment, record, count() FROM events GROUP BY 1, 2")
    print(json.dumps([list(row) for row in held]))
    store.close()
