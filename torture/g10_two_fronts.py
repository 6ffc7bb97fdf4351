"""Two edges under one name, each behind a Caddy: both obtain and renew; killing either loses no click and no redirect.

Each is a machine with an address of its own, and the core, the authority and the readers are on a third. The authority
comes to whichever address it likes. A machine is killed as a whole, some of them with their wires pulled first; readers
speak TLS, believe no certificate but a valid one, and ask at the other address when one does not answer.
"""

import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Self

from cryptography import x509
from tests.debian import require

from torture.failover import FailoverReaders
from torture.front import Authority, CaddyFront, Site, listens, may_be_had, wait_for
from torture.gate import Progress, Result, Scale, failed
from torture.machines import EdgeMachine, operate
from torture.network import Machine, NoNetworkError, Switch
from torture.oracle import Fate, compare, counted, stored, unaccounted
from torture.processes import ENDS_WITH_THIS, Install
from waypost.cli.caddyfile import Front
from waypost.spool.counters import LOST

NUMBERS = {"paris": 11, "rome": 12}
SWITCH_NUMBER = 1
LINK_DOMAIN = "links.example.com"
HTTP_PORT, HTTPS_PORT = 80, 443
API_PORT = 8443
KILLS = {Scale.SHORT: 1, Scale.FULL: 25}
"""Of machines, with each way of sharing challenges."""
VALIDITY_SECONDS = {Scale.SHORT: 12, Scale.FULL: 60}
"""Caddy renews when a third is left."""
RENEWED_SECONDS = 60.0
LOOK_SECONDS = 0.2
PER_SECOND = 100.0
KEPT_FIRST = 1_000_000_000
VISIT_SECONDS = 20.0
"""A first visit waits for its certificate."""
NEW_DOMAINS = {Scale.SHORT: 1, Scale.FULL: 5}
"""At each machine."""
CLICKS_BETWEEN = (50, 200)
"""Before the next kill."""
DOWN_SECONDS = {Scale.SHORT: 1.0, Scale.FULL: 5.0}
OWNER = "owner@post.example"


class Sharing(StrEnum):
    """How the front that the authority comes to knows the other one's challenge."""

    STORAGE = "one storage"
    PEER = "storages of their own, and challenges passed on"


SHARING = {Scale.SHORT: (Sharing.STORAGE,), Scale.FULL: tuple(Sharing)}


class Api:
    """The core's front: HTTPS at the switch's address, with the certificate that the authority's own server has.

    Edges trust it through SSL_CERT_FILE, as they would a company's own authority.
    """

    def __init__(self, folder: Path, core: Install, authority: Authority, address: str) -> None:
        self.url = f"https://{address}:{API_PORT}"
        self.trust = {"SSL_CERT_FILE": str(authority.root)}
        folder.mkdir()
        caddyfile = folder / "Caddyfile"
        caddyfile.write_text(
            "{\n\tadmin off\n\tauto_https off\n}\n"
            f"{self.url} {{\n\ttls {authority.root} {authority.root.with_suffix('.key')}\n"
            f"\treverse_proxy 127.0.0.1:{core.control_port}\n}}\n"
        )
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*ENDS_WITH_THIS, require("caddy", "caddy"), "run", "--adapter", "caddyfile", "--config", caddyfile],
                env={"HOME": str(folder)},
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: listens(address, API_PORT), f"Caddy ({folder / 'log'})")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


class Edge:
    """One of the two machines."""

    def __init__(self, host: Machine, machine: EdgeMachine, front: CaddyFront) -> None:
        self.name = machine.name
        self.host = host
        self.machine = machine
        self._front = front
        self.renewed = 0
        """Certificates of its own domain that took the place of an earlier one."""
        self._shown = 0

    def domain(self, number: int = 0) -> str:
        """Visited here only: nobody else has its certificate renewed."""
        return f"{self.name}-{number}.example.com"

    def begin(self) -> None:
        """Start everything on it."""
        with self.host.entered():
            self.machine.begin()
            self._front.start()

    def wait_ready(self) -> None:
        """Return once it serves."""
        self.machine.running.wait_ready()

    def kill(self) -> None:
        """Everything on it at once."""
        self.host.kill()
        if self.machine.running is not None:
            self.machine.running.kill()
        self._front.kill()

    def knows(self, domain: str) -> bool:
        """Whether a certificate may be had for it."""
        with self.host.entered():
            return may_be_had(self.machine, domain)

    def shows(self, domain: str, context: ssl.SSLContext) -> int:
        """Serial number of the certificate that a visitor is shown.

        Raises:
            OSError: there is none, or none that is good.
        """
        with (
            socket.create_connection((self.host.address, HTTPS_PORT), VISIT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=domain) as connection,
        ):
            return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True)).serial_number

    def look(self, context: ssl.SSLContext) -> None:
        """Visit its own domain. Raises as `shows`."""
        shown = self.shows(self.domain(), context)
        self.renewed += bool(self._shown) and shown != self._shown
        self._shown = shown


class Trial:
    """Both machines with one way of sharing challenges, from their first start."""

    def __init__(self, sharing: Sharing, scale: Scale, progress: Progress, held: ExitStack, rng: Random) -> None:
        self._sharing = sharing
        self._scale = scale
        self._progress = progress
        self._rng = rng
        self.kills = 0
        self.slowest = 0.0
        """Seconds of a first visit, its certificate included."""
        self.counted_lost = 0
        """Clicks that a kill took before a slow disk had them: a reader waits for it no longer than agreed."""
        self.failures: list[str] = []
        folder = progress.directory / sharing.name.lower()
        self._switch = held.enter_context(Switch(SWITCH_NUMBER))
        held.enter_context(self._switch.entered())
        self.core = held.enter_context(Install(folder / "core", listeners=False))
        self.running = self.core.core()
        self.authority = held.enter_context(
            Authority(
                folder / "authority",
                HTTP_PORT,
                HTTPS_PORT,
                validity_seconds=VALIDITY_SECONDS[scale],
                address=self._switch.address,
                under=ENDS_WITH_THIS,
            )
        )
        self.trusted = self.authority.trusted()
        self.running.wait_ready()
        api = held.enter_context(Api(folder / "api", self.core, self.authority, self._switch.address))
        self._hosts = [held.enter_context(Machine(number)) for number in NUMBERS.values()]
        self.edges = [
            self._edge(folder, name, host, api, held) for name, host in zip(NUMBERS, self._hosts, strict=True)
        ]
        for edge in self.edges:
            held.callback(edge.kill)
            edge.begin()
        for edge in self.edges:
            edge.wait_ready()
        self.readers = [self._readers(first) for first in (0, KEPT_FIRST)]
        self.fate = Fate(0, 0, 0, 0)

    def _edge(self, folder: Path, name: str, host: Machine, api: Api, held: ExitStack) -> Edge:
        self._switch.connect(host)
        (other,) = (each for each in self._hosts if each is not host)
        sharing = {
            Sharing.STORAGE: Front(admin="off", storage=str(folder / "certificates")),
            Sharing.PEER: Front(admin="off", challenge_peer=other.address),
        }
        with host.entered():
            machine = held.enter_context(EdgeMachine(folder / name, self.core, name, api.url, api.trust))
        site = Site(host.address, HTTP_PORT, HTTPS_PORT)
        front = CaddyFront(machine, self.authority, site, options=sharing[self._sharing], under=ENDS_WITH_THIS)
        return Edge(host, machine, front)

    def _readers(self, first: int) -> FailoverReaders:
        return FailoverReaders(
            [(edge.host.address, HTTPS_PORT) for edge in self.edges],
            self.core.keyring,
            link_domain=LINK_DOMAIN,
            context=self.trusted,
            readers=6,
            first=first,
            per_second=PER_SECOND / 2,
            fresh=not first,
            rng=self._rng,
        )

    def run(self) -> None:
        """From new domains to the last click in the store."""
        self._publish(
            [*(edge.domain(number) for edge in self.edges for number in range(NEW_DOMAINS[self._scale])), LINK_DOMAIN]
        )
        self._visit_first()
        with ExitStack() as clicking:
            for readers in self.readers:
                clicking.enter_context(readers)
            for number in range(KILLS[self._scale]):
                enough = self._clicks() + self._rng.randint(*CLICKS_BETWEEN)
                wait_for(lambda enough=enough: self._clicks() >= enough, "clicks")
                self._say(f"kill {number + 1} of {KILLS[self._scale]}, {self._clicks():,} clicks answered")
                self._kill(self._rng.choice(self.edges), unplugged=bool(number % 2))
            self._say("until both have renewed")
            self._renew()
        self._settle()

    def _clicks(self) -> int:
        return sum(readers.count for readers in self.readers)

    def _say(self, text: str) -> None:
        self._progress.say(f"{self._sharing}: {text}")

    def _publish(self, domains: Sequence[str]) -> None:
        """As an operator does, whose DNS is right; return once both edges know them."""
        operate(self.core, "accounts", "create", "--name", "Post", "--email", OWNER)
        for domain in domains:
            names = ("--name", domain, "--sending-domain", "post.example", "--link-domain", domain)
            operate(self.core, "profiles", "create", OWNER, *names)
            published = operate(self.core, "link-domains", "publish", domain)
            assert published.exit_code == 0, published.output
            self.authority.resolve(domain, *(edge.host.address for edge in self.edges))
        wait_for(lambda: all(edge.knows(domains[-1]) for edge in self.edges), "the edges' snapshot")

    def _visit_first(self) -> None:
        """New domains at each machine, while the authority comes to the other one."""
        for edge, other in (self.edges, self.edges[::-1]):
            for number in range(NEW_DOMAINS[self._scale]):
                self._say(f"a new domain at {edge.name}, which the authority looks for at {other.name}")
                self.authority.resolve(edge.domain(number), other.host.address)
                began = time.monotonic()
                edge.shows(edge.domain(number), self.trusted)
                self.slowest = max(self.slowest, time.monotonic() - began)
            self.authority.resolve(edge.domain(), edge.host.address, other.host.address)

    def _kill(self, edge: Edge, *, unplugged: bool) -> None:
        """A machine dies, and comes back some time later."""
        if unplugged:
            self._switch.unplug(edge.host)
        edge.kill()
        self.kills += 1
        deadline = time.monotonic() + self._rng.uniform(0.5, 1) * DOWN_SECONDS[self._scale]
        while time.monotonic() < deadline:
            self._look(*(other for other in self.edges if other is not edge))
        if unplugged:
            self._switch.plug_in(edge.host)
        edge.begin()
        edge.wait_ready()
        self._look(*self.edges)

    def _renew(self) -> None:
        """Until each machine has renewed."""
        deadline = time.monotonic() + RENEWED_SECONDS + VALIDITY_SECONDS[self._scale]
        while not all(edge.renewed for edge in self.edges):
            self._look(*self.edges)
            if time.monotonic() > deadline:
                self.failures.append(f"renewals: {[edge.renewed for edge in self.edges]}")
                return

    def _look(self, *edges: Edge) -> None:
        for edge in edges:
            try:
                edge.look(self.trusted)
            except OSError as error:
                self.failures.append(f"{edge.name} shows no certificate: {error}")
        time.sleep(LOOK_SECONDS)

    def _settle(self) -> None:
        """Everything handed over, stopped and compared."""
        for edge in self.edges:
            edge.machine.wait_handed_over()
            if status := edge.machine.running.stop():
                self.failures.append(f"{edge.name} ended with status {status}")
            if difference := unaccounted(edge.machine.spool):
                self.failures.append(f"the account does not add up: {difference}")
            counts = counted(edge.machine.spool)
            self.counted_lost += sum(counts[count] for count in LOST)
        self.running.stop()
        clicks = [number for readers in self.readers for number in readers.answered()]
        self.fate = compare(clicks, stored(self.core.data))


def run(scale: Scale, progress: Progress, rng: Random) -> Result:
    """Each way of sharing challenges, on an install of its own."""
    trials = []
    try:
        for sharing in SHARING[scale]:
            with ExitStack() as held:
                trials.append(Trial(sharing, scale, progress, held, rng))
                trials[-1].run()
    except NoNetworkError as error:
        return Result({}, (str(error),))
    readers = [each for trial in trials for each in trial.readers]
    failures = [failure for trial in trials for failure in trial.failures]
    cut_off, wrong = sum(each.cut_off for each in readers), [answer for each in readers for answer in each.wrong]
    refused = [certificate for each in readers for certificate in each.refused]
    counted_lost = sum(trial.counted_lost for trial in trials)
    lost = max(0, sum(trial.fate.missing for trial in trials) - counted_lost)
    repeated = sum(trial.fate.repeated for trial in trials)
    return Result(
        {
            "ways of sharing challenges": len(trials),
            "machines killed": sum(trial.kills for trial in trials),
            "longest first visit (s)": round(max(trial.slowest for trial in trials), 1),
            "renewals": sum(edge.renewed for trial in trials for edge in trial.edges),
            "answered clicks": sum(trial.fate.answered for trial in trials),
            "failed redirects": cut_off + len(wrong),
            "asked again elsewhere": sum(each.retried for each in readers),
            "certificates refused": len(refused),
            "longest wait (s)": round(max(each.seconds()[-1] for each in readers), 1),
            "lost": lost,
            "stored twice": repeated,
            "counted lost": counted_lost,
        },
        failed(
            (failures, "; ".join(failures)),
            (cut_off, f"{cut_off} clicks were answered nowhere"),
            (wrong, f"{len(wrong)} answers were no redirect, such as {wrong[:1]}"),
            (refused, f"{len(refused)} certificates were refused, such as {refused[:1]}"),
            (lost, f"{lost} answered clicks are neither stored nor counted lost"),
            (repeated, f"{repeated} are stored twice"),
        ),
    )
