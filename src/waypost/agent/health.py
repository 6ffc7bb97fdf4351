"""Whether this machine is fit to get readers: a pure judgement, and its words.

Problems take it out of rotation. Warnings do not: a core that is down must not take every edge out together, when
surviving that is what edges are for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from waypost.agent.view import Remote, View, Worker

WORKER_SILENT_SECONDS: Final = 5.0
"""A worker says each second that it is there."""
LOOK_LATE_SECONDS: Final = 10.0
"""The agent looks each second: later, the disk hangs."""
BACKLOG_OLD_SECONDS: Final = 60.0
"""A segment is sealed after a second and stored within a few."""
CONTACT_OLD_SECONDS: Final = 30.0
"""The core is asked every two seconds."""
DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Readiness:
    """The judgement, in sentences for an operator."""

    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether readers may be sent here."""
        return not self.problems


def judge(view: View, remote: Remote | None, now: float) -> Readiness:
    """Judge what is known.

    Args:
        view: taken last.
        remote: the core elsewhere; None when it shares the data directory.
        now: seconds since 1970.
    """
    return Readiness(tuple(_problems(view, now)), tuple(_warnings(view, remote, now)))


def is_up(worker: Worker, now: float) -> bool:
    """Whether a worker said lately that it is there. By the distance: a clock set back leaves times in the future."""
    return worker.status is not None and abs(now - worker.status.heartbeat_at_ms / 1000) <= WORKER_SILENT_SECONDS


def _problems(view: View, now: float) -> Iterator[str]:
    if now - view.at > LOOK_LATE_SECONDS:
        yield f"the data directory has not answered for {now - view.at:.0f} s"
    if view.spool_problem:
        yield f"the spool cannot be read: {view.spool_problem}"
    if view.keyring_problem:
        yield view.keyring_problem
    if view.snapshot is None:
        unknown = "there is no snapshot yet: what is blocked is unknown here"
        yield f"{unknown}. {view.snapshot_problem}" if view.snapshot_problem else unknown
    for worker in view.workers:
        if worker.expected:
            yield from _worker_problems(worker, view, now)


def _worker_problems(worker: Worker, view: View, now: float) -> Iterator[str]:
    if worker.status is None:
        yield f"{worker.name} has not started yet"
        return
    if not is_up(worker, now):
        yield f"{worker.name} has been silent for {abs(now - worker.status.heartbeat_at_ms / 1000):.0f} s"
        return
    if worker.status.failing is not None:
        yield f"{worker.name} redirects but cannot keep clicks: {worker.status.failing}"
    if view.snapshot is not None and not worker.status.snapshot_version:
        yield f"{worker.name} has not read the snapshot yet"


def _geoip_warnings(view: View, now: float) -> Iterator[str]:
    """Old places are worse than none: nobody sees that they are wrong."""
    if view.geoip_problem:
        yield f"which geoip databases the core uses cannot be read: {view.geoip_problem}"
    if view.geoip is None:
        return
    for database in view.geoip.databases:
        if database.built_at is None:
            yield f"where readers are is not known: {database.path}: {database.problem}; run `waypost geoip update`"
            continue
        if database.problem:
            yield f"{database.path} was changed and is not used, the one before is: {database.problem}"
        days = (now - database.built_at.timestamp()) / DAY_SECONDS
        if days > view.geoip.stale_days:
            yield f"{database.path} is {days:.0f} days old: run `waypost geoip update`"


def _warnings(view: View, remote: Remote | None, now: float) -> Iterator[str]:
    for worker in view.workers:
        oldest = worker.account.backlog.oldest_at
        if oldest is not None and now - oldest > BACKLOG_OLD_SECONDS:
            backlog = worker.account.backlog
            yield f"{backlog.records} clicks of {worker.name} wait to be stored, the oldest for {now - oldest:.0f} s"
    yield from _geoip_warnings(view, now)
    if remote is None:
        return
    if remote.contact_at is None:
        yield f"{remote.url} has given no news yet{': ' if remote.failure else ''}{remote.failure}"
    elif now - remote.contact_at > CONTACT_OLD_SECONDS:
        yield (
            f"{remote.url} has given no news for {now - remote.contact_at:.0f} s, and blocks set since are unknown "
            f"here: {remote.failure}"
        )
    yield from filter(None, (remote.keyring_refused, remote.snapshot_refused, *remote.shipping.waiting))
