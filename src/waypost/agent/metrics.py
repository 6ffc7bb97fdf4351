"""Metrics in Prometheus' text format, from the view that is in memory: a scrape touches no file."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from waypost import __version__
from waypost.agent.health import is_up, judge
from waypost.agent.view import Remote, View, Worker
from waypost.spool.counters import LOST, Count

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_COUNTS = (
    ("answered", Count.ANSWERED, "Clicks and opens whose reader was answered."),
    ("kept", Count.KEPT, "Of them, written to the spool."),
    ("unsynced", Count.UNSYNCED, "Answered before they were known to be on the disk."),
    ("unanswered", Count.UNANSWERED, "Kept, but the process was killed before the answer."),
    ("dropped", Count.DROPPED, "Deleted unread because the backlog outgrew spool.max_bytes."),
)


def render(view: View, remote: Remote | None, now: float) -> bytes:
    """Everything there is to scrape.

    Args:
        view: taken last.
        remote: the core elsewhere; None when it shares the data directory.
        now: seconds since 1970.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Taken(view, remote, now))
    return generate_latest(registry)


class _Taken(Collector):
    def __init__(self, view: View, remote: Remote | None, now: float) -> None:
        self._view = view
        self._remote = remote
        self._now = now

    def collect(self) -> Iterable[Metric]:
        yield from _clicks(self._view.workers)
        yield from _spool(self._view.workers, self._now)
        yield from _workers(self._view.workers, self._now)
        yield from _machine(self._view, self._remote, self._now)
        yield from _geoip(self._view, self._now)
        if self._remote is not None:
            yield from _remote(self._remote, self._now)


def _clicks(workers: tuple[Worker, ...]) -> Iterator[Metric]:
    for name, count, text in _COUNTS:
        family = CounterMetricFamily(f"waypost_clicks_{name}", text, labels=["worker"])
        for worker in workers:
            family.add_metric([worker.name], worker.account.counts[count])
        yield family
    lost = CounterMetricFamily("waypost_clicks_lost", "Answered and not kept, by reason.", labels=["worker", "reason"])
    seen = CounterMetricFamily("waypost_requests", "Requests, by what became of them.", labels=["worker", "seen"])
    stored = CounterMetricFamily("waypost_clicks_stored", "Handed over and in the event store.", labels=["worker"])
    aside = GaugeMetricFamily("waypost_clicks_quarantined", "In segments set aside.", labels=["worker"])
    for worker in workers:
        for count in LOST:
            lost.add_metric([worker.name, count.removeprefix("lost_")], worker.account.counts[count])
        for what, requests in worker.seen.items():
            seen.add_metric([worker.name, what], requests)
        stored.add_metric([worker.name], worker.account.stored)
        aside.add_metric([worker.name], worker.account.quarantined)
    yield from (lost, seen, stored, aside)


def _spool(workers: tuple[Worker, ...], now: float) -> Iterator[Metric]:
    segments = GaugeMetricFamily("waypost_spool_segments", "Segments that wait to be stored.", labels=["worker"])
    records = GaugeMetricFamily("waypost_spool_records", "Clicks and opens in them.", labels=["worker"])
    size = GaugeMetricFamily("waypost_spool_bytes", "Their size.", labels=["worker"])
    age = GaugeMetricFamily("waypost_spool_oldest_age_seconds", "How long the oldest one waits.", labels=["worker"])
    difference = GaugeMetricFamily(
        "waypost_clicks_unaccounted",
        "Answered, and neither stored, spooled, quarantined, lost nor dropped: 0 at rest.",
        labels=["worker"],
    )
    for worker in workers:
        backlog = worker.account.backlog
        segments.add_metric([worker.name], backlog.segments)
        records.add_metric([worker.name], backlog.records)
        size.add_metric([worker.name], backlog.size_bytes)
        age.add_metric([worker.name], 0 if backlog.oldest_at is None else max(0.0, now - backlog.oldest_at))
        difference.add_metric([worker.name], worker.account.difference)
    yield from (segments, records, size, age, difference)


def _workers(workers: tuple[Worker, ...], now: float) -> Iterator[Metric]:
    up = GaugeMetricFamily("waypost_worker_up", "1 while it says so each second.", labels=["worker"])
    failing = GaugeMetricFamily("waypost_worker_failing", "1 while it cannot keep clicks.", labels=["worker"])
    connections = GaugeMetricFamily("waypost_worker_connections", "Open ones.", labels=["worker"])
    version = GaugeMetricFamily("waypost_worker_snapshot_version", "Of the snapshot it obeys.", labels=["worker"])
    keys = GaugeMetricFamily("waypost_worker_keys", "Link keys it holds.", labels=["worker"])
    for worker in workers:
        if not worker.expected:
            continue
        status = worker.status
        up.add_metric([worker.name], is_up(worker, now))
        failing.add_metric([worker.name], status is not None and status.failing is not None)
        connections.add_metric([worker.name], status.connections if status else 0)
        version.add_metric([worker.name], status.snapshot_version if status else 0)
        keys.add_metric([worker.name], len(status.key_ids) if status else 0)
    yield from (up, failing, connections, version, keys)


def _machine(view: View, remote: Remote | None, now: float) -> Iterator[Metric]:
    info = GaugeMetricFamily("waypost_build_info", "The release that runs here.", labels=["version"])
    info.add_metric([__version__], 1)
    yield info
    readiness = judge(view, remote, now)
    yield GaugeMetricFamily("waypost_ready", "1 while /readyz says 200.", readiness.ready)
    yield GaugeMetricFamily("waypost_problems", "How many problems /readyz names.", len(readiness.problems))
    yield GaugeMetricFamily("waypost_warnings", "How many warnings /readyz names.", len(readiness.warnings))
    keys = len(view.keyring.keys) if view.keyring else 0
    yield GaugeMetricFamily("waypost_keyring_keys", "Link keys in the keyring file.", keys)
    snapshot = view.snapshot
    yield GaugeMetricFamily(
        "waypost_snapshot_version", "Of the newest one; 0: none.", snapshot.version if snapshot else 0
    )
    if snapshot is not None:
        age = max(0.0, now - snapshot.published_at.timestamp())
        yield GaugeMetricFamily("waypost_snapshot_age_seconds", "Since control last changed something in it.", age)


def _geoip(view: View, now: float) -> Iterator[Metric]:
    used = GaugeMetricFamily("waypost_geoip_database_used", "1 while the core asks it.", labels=["database"])
    age = GaugeMetricFamily("waypost_geoip_database_age_seconds", "Since it was built.", labels=["database"])
    for database in view.geoip.databases if view.geoip else ():
        used.add_metric([database.path], database.built_at is not None)
        if database.built_at is not None:
            age.add_metric([database.path], max(0.0, now - database.built_at.timestamp()))
    yield from (used, age)


def _remote(remote: Remote, now: float) -> Iterator[Metric]:
    if remote.contact_at is not None:
        age = max(0.0, now - remote.contact_at)
        yield GaugeMetricFamily("waypost_control_contact_age_seconds", "Since the core last answered.", age)
    yield CounterMetricFamily("waypost_control_failures", "Requests to the core that failed.", remote.failures)
    shipping = remote.shipping
    yield CounterMetricFamily("waypost_shipped_segments", "Segments that the core stored.", shipping.segments)
    yield CounterMetricFamily("waypost_shipped_records", "Clicks and opens in them.", shipping.records)
    yield CounterMetricFamily("waypost_shipping_failures", "Attempts that failed.", shipping.failures)
