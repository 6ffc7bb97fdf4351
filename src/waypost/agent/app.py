"""The internal listener: health, metrics, and whether a certificate may be had. Every answer comes from memory."""

from collections.abc import Callable, Collection
from typing import Final
from urllib.parse import parse_qs

import msgspec

from waypost.agent.ask import may_have_certificate
from waypost.agent.health import is_up, judge
from waypost.agent.metrics import CONTENT_TYPE, render
from waypost.agent.view import Remote, View
from waypost.edge.answer import METHOD_NOT_ALLOWED, Answer
from waypost.edge.decide import Request

_METHODS: Final = frozenset({b"GET", b"HEAD"})
_TARGET_MAX: Final = 4096


class AgentApp:
    """Answers programs on this machine.

    Args:
        view: the newest one.
        remote: the core elsewhere, as it is now; None when it shares the data directory.
        link_domains: for which certificates may be had while there is no snapshot.
        wall: seconds since 1970.
    """

    def __init__(
        self,
        view: Callable[[], View],
        remote: Callable[[], Remote | None],
        link_domains: Collection[str],
        wall: Callable[[], float],
    ) -> None:
        self._view = view
        self._remote = remote
        self._link_domains = frozenset(link_domains)
        self._wall = wall
        self._routes: dict[str, Callable[[str], Answer]] = {
            "/livez": lambda _: _text(200, "alive\n"),
            "/readyz": lambda _: self._readyz(),
            "/metrics": lambda _: self._metrics(),
            "/ask": self._ask,
        }

    def handle(self, request: Request, answer: Callable[[Answer], None]) -> None:
        """Answer a request."""
        path, _, query = request.target[:_TARGET_MAX].decode("latin-1").partition("?")
        route = self._routes.get(path)
        if route is None:
            answer(_text(404, "There is nothing here but /livez, /readyz, /metrics and /ask.\n"))
        elif request.method not in _METHODS:
            answer(METHOD_NOT_ALLOWED)
        else:
            answer(route(query))

    def _readyz(self) -> Answer:
        view, now = self._view(), self._wall()
        readiness = judge(view, self._remote(), now)
        body = msgspec.json.encode(
            {
                "ready": readiness.ready,
                "problems": readiness.problems,
                "warnings": readiness.warnings,
                "snapshot_version": view.snapshot.version if view.snapshot else None,
                "workers": [
                    {
                        "name": worker.name,
                        "up": is_up(worker, now),
                        "failing": worker.status.failing if worker.status else None,
                        "heartbeat_at_ms": worker.status.heartbeat_at_ms if worker.status else None,
                        "snapshot_version": worker.status.snapshot_version if worker.status else None,
                        "key_ids": sorted(worker.status.key_ids) if worker.status else [],
                        "connections": worker.status.connections if worker.status else 0,
                    }
                    for worker in view.workers
                    if worker.expected
                ],
            }
        )
        return Answer(200 if readiness.ready else 503, (("Content-Type", "application/json"), *_FRESH), body + b"\n")

    def _metrics(self) -> Answer:
        body = render(self._view(), self._remote(), self._wall())
        return Answer(200, (("Content-Type", CONTENT_TYPE), *_FRESH), body)

    def _ask(self, query: str) -> Answer:
        names = parse_qs(query).get("domain", [])
        if len(names) == 1 and may_have_certificate(names[0], self._view().snapshot, self._link_domains):
            return _text(200, "yes\n")
        return _text(404, "no\n")


_FRESH: Final = (("Cache-Control", "no-store"),)


def _text(status: int, text: str) -> Answer:
    return Answer(status, (("Content-Type", "text/plain; charset=utf-8"), *_FRESH), text.encode())
