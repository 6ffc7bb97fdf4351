"""A machine as the agent sees it, made of values."""

from datetime import UTC, datetime

from waypost.agent.view import View, Worker
from waypost.fleet.snapshot import PublishedDomain, Snapshot
from waypost.links.keyring import Keyring
from waypost.spool.conservation import Account, Backlog
from waypost.spool.counters import Count, Seen, WorkerStatus

NOW = 1_800_000_000.0
KEYRING = Keyring.new(bytes(range(64)))
SNAPSHOT = Snapshot(7, datetime(2026, 3, 4, tzinfo=UTC), {"links.example.com": PublishedDomain()})


def worker(name="edge-0", *, silent=0.0, failing=None, snapshot_version=7, oldest_at=None, expected=True, status=True):
    backlog = Backlog(segments=1, records=5, size_bytes=2500, oldest_at=oldest_at)
    counts = dict.fromkeys(Count, 0) | {Count.ANSWERED: 20, Count.KEPT: 18, Count.LOST_NO_SPACE: 2}
    reported = WorkerStatus(int((NOW - silent) * 1000), failing, snapshot_version, frozenset({1}), 3)
    return Worker(
        name=name,
        expected=expected,
        status=reported if status else None,
        seen=dict.fromkeys(Seen, 0) | {Seen.CLICK: 20},
        account=Account(counts=counts, backlog=backlog, stored=13, quarantined=0),
    )


def view(*workers, at=NOW, **more):
    return View(at, workers or (worker(),), **({"keyring": KEYRING, "snapshot": SNAPSHOT} | more))
