"""Receivers down, slow and lying, the core killed: each event is noted once and told, and who is well waits for none.

One endpoint takes what it gets, over TLS. Beside it one is down, and the others are slow or lie, each in its own way.
Readers click and messages are delivered, first without the others, then beside them, then while the core is killed and
started again; meanwhile a secret is replaced, and an address that the settings allowed is not allowed any more. At last
all are well, every retry is due as if its time had come, and each must have been told everything.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

from demo.api import Api
from standardwebhooks import Webhook
from tests.certificates import Authority
from tests.integration.webhooks.receivers import (
    Receiver,
    Request,
    dripping_body,
    dripping_headers,
    endless_headers,
    half_an_answer,
    huge_body,
    informs_for_ever,
    late,
    resets_after_200,
    speaks_no_http,
    status,
)

from torture.gate import Progress, Result, Scale, failed
from torture.load import ACCOUNT, PROFILE, Readers, number_of
from torture.oracle import Fate, compare, stored, wait_stored
from torture.processes import Install, Started, free_ports
from torture.receivers import Receivers, Taking
from torture.told import EMAIL, Deliveries, Notice, Told, fill, make_due, noted, notices, outcomes, wait_told
from waypost.db import Database, create_engine, database_url
from waypost.db.states import AttemptOutcome, EndpointState, NoticeState
from waypost.events.notice import NoticeType
from waypost.webhooks.notices import LEARN_SECONDS

KILLS = {Scale.SHORT: 2, Scale.FULL: 12}
PER_SECOND = 2.0
CALM_SECONDS = {Scale.SHORT: 3.0, Scale.FULL: 20.0}
"""Without a kill: once without the others, and once beside them."""
LIFE_SECONDS = {Scale.SHORT: 2.0, Scale.FULL: 8.0}
"""The longest between ready and the kill."""
TOLD_SECONDS = 240.0
"""Until all is, at last: there is a lot to tell, and other tests run beside."""
SENDS = {Scale.SHORT: 5_000, Scale.FULL: 20_000}
"""More than are clicked."""
API_SECONDS = 60.0
"""A core that just started and has all of this to tell, on a busy machine."""
FIRST = {"alone": 0, "beside": 1_000, "killed": 2_000}
"""The number of the first send of each phase."""
LATER_MAX_SECONDS = {Scale.SHORT: 8.0, Scale.FULL: 3.0}
"""Beside the others: one attempt at a slow one takes 15 s. Beside other tests a machine stands still for some."""
HEALTHY, DOWN, GONE, REFUSED, WRONG_NAME = "healthy", "down", "gone", "refused", "wrong certificate"
ADDRESS, REFUSED_ADDRESS = "127.0.0.1", "127.0.0.2"
NETWORKS_FIRST, NETWORKS = "127.0.0.0/8", "127.0.0.1/32"

EXPECTED = {
    Scale.SHORT: set(AttemptOutcome) - {AttemptOutcome.MISSING, AttemptOutcome.TIMEOUT},
    Scale.FULL: set(AttemptOutcome) - {AttemptOutcome.MISSING},
}
"""What has to come of attempts, or else the others were none. A timeout takes longer than the short form lives."""

Answer = Callable[..., Any]


def liars(inside: str) -> dict[str, Answer]:
    """What they do, by their names; one points to a URL it should not."""
    return {
        "slow": late(20.0, status(200)),
        "trickling head": dripping_headers,
        "trickling body": dripping_body,
        "endless head": endless_headers,
        "endless body": huge_body,
        "informs for ever": informs_for_ever,
        "resets after 200": resets_after_200,
        "half an answer": half_an_answer,
        "garbage": speaks_no_http,
        "redirects to itself": status(307, "Location: /in?a=1"),
        "redirects inside": status(302, f"Location: {inside}"),
        "retry later": status(503, "Retry-After: 3600"),
        GONE: status(410),
    }


@dataclass
class Endpoint:
    """One that was made, and what it takes once it is well."""

    endpoint_id: UUID
    secret: str
    receiver: Receiver | None
    """None: nobody listens there."""
    port: int
    taking: Taking = field(default_factory=Taking)


@dataclass
class Happened:
    """What readers and mail did in a phase."""

    clicked: Iterable[int] = ()
    delivered: Iterable[int] = ()

    @property
    def events(self) -> set[Told]:
        """As they are to be told."""
        clicks = {(NoticeType.CLICK, number) for number in self.clicked}
        return clicks | {(NoticeType.DELIVERED, number) for number in self.delivered}


class Trial:
    """The processes, and what was seen of them."""

    def __init__(self, scale: Scale, progress: Progress, rng: Random, stack: ExitStack) -> None:
        self.kills = 0
        self.wrong: list[str] = []
        self.happened: dict[str, Happened] = {}
        self.endpoints: dict[str, Endpoint] = {}
        self.asked_inside = 0
        """Requests at the refused address since it is refused."""
        self.new_secret = ""
        self.both_sign_from = float("inf")
        """Since then every attempt begins after the secret was replaced."""
        self.taken_before: set[tuple[UUID, str]] = set()
        """Endpoints and messages that ended well before all were: with 200, whatever came after it."""
        self.was_disabled = False
        self._began = int(time.time())
        self._scale = scale
        self._progress = progress
        self._rng = rng
        self._authority = Authority(progress.directory)
        self._settings = {"SSL_CERT_FILE": str(self._authority.root)}
        self._networks = NETWORKS_FIRST
        self.install = stack.enter_context(Install(progress.directory / "install"))
        self.receivers = stack.enter_context(Receivers())
        self.edge = self.install.edge()
        self.core = self._start()
        self.database = Database(create_engine(database_url("", self.install.data)))
        stack.callback(self.database.close)
        fill(self.database, ACCOUNT, PROFILE, range(SENDS[scale]))
        self._key = self.install.run("api-keys", "create", EMAIL, "--name", "torture", "--role", "iac").split()[-1]
        self._api = self._log_in()

    def add_healthy(self) -> None:
        """The one that is told of everything."""
        taking = Taking()
        self._add(HEALTHY, self.receivers.open(taking, tls=self._authority.context(ADDRESS)), secure=True)
        self.endpoints[HEALTHY].taking = taking

    def add_others(self) -> None:
        """Those that are told of clicks, while they are not well."""
        (nobodys,) = free_ports(1)
        refused = self.receivers.open(status(200), host=REFUSED_ADDRESS)
        of_another = self._authority.context(ADDRESS, shown="another.example")
        self._add(DOWN, None, port=nobodys)
        self._add(REFUSED, refused, host=REFUSED_ADDRESS)
        self._add(WRONG_NAME, self.receivers.open(status(200), tls=of_another), secure=True)
        for name, answer in liars(f"http://{REFUSED_ADDRESS}:{refused.port}/in").items():
            self._add(name, self.receivers.open(answer))

    def calm(self, phase: str) -> float:
        """Readers and deliveries, and no kill; within how many seconds 19 of 20 events reach the healthy one."""
        self._progress.say(f"{phase}, nothing is killed")
        time.sleep(LEARN_SECONDS)
        with self._load(phase):
            time.sleep(CALM_SECONDS[self._scale])
        taking, expected = self.endpoints[HEALTHY].taking, self.happened[phase].events
        deadline = time.monotonic() + TOLD_SECONDS
        while expected - {told(request) for request in taking.taken}:
            if time.monotonic() > deadline:
                raise AssertionError(f"{phase}, the healthy endpoint is not told of everything")
            time.sleep(0.2)
        seconds = [
            self.receivers.wall(request) - occurred_at(request) for request in taking.taken if told(request) in expected
        ]
        return statistics.quantiles(seconds, n=20)[-1]

    def suffer(self) -> None:
        """Kill the core and start it again."""
        kills = KILLS[self._scale]
        with self._load("killed"):
            while self.kills < kills:
                time.sleep(self._rng.uniform(0, LIFE_SECONDS[self._scale]))
                self._progress.say(f"kill {self.kills + 1} of {kills}")
                self._kill()
                self._networks = NETWORKS
                if self.new_secret:
                    self.both_sign_from = min(self.both_sign_from, time.time())
                self.core = self._start()
                if self.kills == kills // 2:
                    healthy = self.endpoints[HEALTHY].endpoint_id
                    self.new_secret = self._api.post(f"/api/v1/webhook/{healthy}/rotate_secret", {})["secret"]

    def recover(self) -> None:
        """All are well, and every retry is due; return when all is told."""
        self._progress.say("all are well again")
        self.core.kill()
        self.taken_before = {
            (each.endpoint, each.message_id)
            for each in notices(self.database)
            if each.state is NoticeState.DELIVERED and each.endpoint != self.endpoints[HEALTHY].endpoint_id
        }
        for name, endpoint in self.endpoints.items():
            if endpoint.receiver is None:
                endpoint.receiver = self.receivers.open(endpoint.taking, port=endpoint.port)
            elif name == WRONG_NAME:
                self.receivers.close(endpoint.port)
                tls = self._authority.context(ADDRESS)
                endpoint.receiver = self.receivers.open(endpoint.taking, port=endpoint.port, tls=tls)
            elif name != REFUSED:
                endpoint.receiver.answer = endpoint.taking
        make_due(self.database)
        self.core = self._start()
        self._api = self._log_in()
        gone = f"/api/v1/webhook/{self.endpoints[GONE].endpoint_id}"
        self.was_disabled = self._api.get(gone)["state"] == EndpointState.DISABLED
        self._api.patch(gone, {"state": "enabled"})
        # What was answered with 410 is given up, until its owner asks for it.
        self._api.post(f"{gone}/replay", {"from_utc": self._began})
        wait_stored(self.install.spool)
        wait_told(self.database, TOLD_SECONDS, but=self.endpoints[REFUSED].endpoint_id)

    def end(self) -> None:
        """Stop everything."""
        self.edge.stop()
        self.core.stop()
        self.asked_inside += len(self.endpoints[REFUSED].receiver.requests)

    def events(self, *phases: str) -> set[Told]:
        """What happened, in all phases or in some."""
        return {each for phase in phases or FIRST for each in self.happened[phase].events}

    def fate(self, name: str, known: Iterable[Notice]) -> Fate:
        """What an endpoint should have been told of, compared with what was noted for it."""
        events = noted(each for each in known if each.endpoint == self.endpoints[name].endpoint_id)
        if name == HEALTHY:
            return compare(self.events(), events)
        clicks = {each for each in self.events("beside", "killed") if each[0] is NoticeType.CLICK}
        return compare(clicks & events.keys() if name == GONE else clicks, events)

    def untold(self, known: Iterable[Notice]) -> list[Notice]:
        """What nobody took who should have."""
        taken = self.taken_before | {
            (endpoint.endpoint_id, id_) for endpoint in self.endpoints.values() for id_ in endpoint.taking.ids
        }
        return [
            each
            for each in known
            if each.endpoint != self.endpoints[REFUSED].endpoint_id
            and (each.state is not NoticeState.DELIVERED or (each.endpoint, each.message_id) not in taken)
        ]

    def unknown(self, known: Iterable[Notice]) -> list[Request]:
        """Messages under another id than the one that was noted for that endpoint and event."""
        ids = {(each.endpoint, each.message_id, each.told) for each in known}
        return [
            request
            for endpoint in self.endpoints.values()
            for request in endpoint.taking.taken
            if (endpoint.endpoint_id, request.headers["webhook-id"], told(request)) not in ids
        ]

    def unsigned(self) -> list[Request]:
        """Messages that do not verify with the secret before or, once it is replaced, with the new one."""
        return [
            request
            for name, endpoint in self.endpoints.items()
            for request in endpoint.taking.taken
            if not is_signed(request, endpoint.secret)
            or (
                name == HEALTHY
                and self.receivers.wall(request) > self.both_sign_from
                and not is_signed(request, self.new_secret)
            )
        ]

    def _add(
        self, name: str, receiver: Receiver | None, *, host: str = ADDRESS, port: int = 0, secure: bool = False
    ) -> None:
        where = receiver.port if receiver else port
        events = {} if name == HEALTHY else {"events": [NoticeType.CLICK]}
        url = f"{'https' if secure else 'http'}://{host}:{where}/in?a=1"
        made = self._api.post("/api/v1/webhook", {"url": url} | events)
        self.endpoints[name] = Endpoint(UUID(made["endpoint_id"]), made["secret"], receiver, where)

    def _kill(self) -> None:
        self.core.kill()
        self.kills += 1
        if self.kills == 1:
            self.asked_inside -= len(self.endpoints[REFUSED].receiver.requests)

    @contextmanager
    def _load(self, phase: str) -> Iterator[None]:
        first, rate = FIRST[phase], PER_SECOND
        numbers = range(first, SENDS[self._scale])
        readers = Readers(
            self.install.edge_port,
            self.install.keyring,
            readers=3,
            first=first,
            pipelined=2,
            per_second=rate,
            rng=self._rng,
        )
        with readers, Deliveries(self.database, ACCOUNT, PROFILE, numbers, rate) as deliveries:
            yield
        self.wrong += [*readers.wrong, *["cut off"] * readers.cut_off, *filter(None, [deliveries.failure])]
        self.happened[phase] = Happened(readers.answered(), deliveries.done)

    def _start(self) -> Started:
        core = self.install.core(settings=self._settings | {"WAYPOST_WEBHOOKS__PRIVATE_NETWORKS": self._networks})
        core.wait_ready()
        return core

    def _log_in(self) -> Api:
        return Api(f"http://127.0.0.1:{self.install.control_port}", *self._key.split(":", 1), seconds=API_SECONDS)


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """Calm without and with the others, kills, and everyone's recovery; then count."""
    with ExitStack() as stack:
        trial = Trial(scale, progress, rng, stack)
        trial.add_healthy()
        alone = trial.calm("alone")
        trial.add_others()
        beside = trial.calm("beside")
        trial.suffer()
        trial.recover()
        trial.end()
        attempts = outcomes(trial.database)
        clicked = [number for phase in trial.happened.values() for number in phase.clicked]
        clicks = compare(clicked, stored(trial.install.data))
        known = notices(trial.database)
    fates = {name: trial.fate(name, known) for name in trial.endpoints}
    again = sum(len(each.taking.taken) - len(each.taking.ids) for each in trial.endpoints.values())
    healthy = trial.endpoints[HEALTHY].taking
    untold = trial.untold(known)
    unknown = trial.unknown(known)
    unsigned = trial.unsigned()
    unnoted, twice = sum(each.missing for each in fates.values()), sum(each.repeated for each in fates.values())
    return Result(
        {
            "endpoints": len(trial.endpoints),
            "kills of the core": trial.kills,
            "events": len(trial.events()),
            "notices": len(known),
            "not noted": unnoted,
            "noted twice": twice,
            "not told": len(untold),
            "told again under the same id": again,
            "attempts": ", ".join(f"{outcome}: {attempts[outcome]:,}" for outcome in sorted(attempts)),
            "seconds until 19 of 20 are told, alone": round(alone, 2),
            "beside the others": round(beside, 2),
        },
        failed(
            (trial.wrong, f"{len(trial.wrong)} clicks or deliveries went wrong, such as {trial.wrong[:1]}"),
            (clicks.missing or clicks.repeated, f"{clicks.missing} clicks are missing, {clicks.repeated} stored twice"),
            (unnoted, f"events that were not noted, by endpoint: {_some(fates, 'missing')}"),
            (twice, f"events that were noted twice, by endpoint: {_some(fates, 'repeated')}"),
            (untold, f"{len(untold)} notices were not told, such as {untold[:1]}"),
            (unknown, f"{len(unknown)} messages are of no notice of their endpoint, such as {unknown[:1]}"),
            (unsigned, f"{len(unsigned)} messages are not signed as they should, such as {unsigned[:1]}"),
            (
                beside - alone > LATER_MAX_SECONDS[scale],
                f"19 of 20 are told within {alone:.1f} s, and beside others {beside:.1f}",
            ),
            (trial.asked_inside, f"{trial.asked_inside} messages went to an address that is refused"),
            (not trial.was_disabled, "410 did not disable the endpoint"),
            (not healthy.taken or not trial.new_secret, "nothing was told, or no secret was replaced"),
            (missed := EXPECTED[scale] - attempts.keys(), f"no attempt ended with {missed}"),
        ),
    )


def told(request: Request) -> Told:
    """What a message is about."""
    message = json.loads(request.body)
    return NoticeType(message["type"]), number_of(UUID(message["data"]["send_id"]))


def occurred_at(request: Request) -> float:
    """When it happened, in seconds since 1970."""
    return datetime.fromisoformat(json.loads(request.body)["timestamp"]).timestamp()


def is_signed(request: Request, secret: str) -> bool:
    """By the rules of Standard Webhooks, whatever the time."""
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    signature = Webhook(secret).sign(request.headers["webhook-id"], at, request.body.decode())
    return signature in request.headers["webhook-signature"].split()


def _some(fates: Mapping[str, Fate], what: str) -> dict[str, int]:
    return {name: count for name, each in fates.items() if (count := getattr(each, what))}
