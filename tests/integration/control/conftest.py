"""The whole API on a real control database, SQLite and PostgreSQL in turn; each test has accounts of its own."""

import asyncio
import base64
import contextlib
import itertools
import os
import socket
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, text
from tests.ports import free_ports
from tests.rsa_key import rsa_private_key

from waypost.config import load
from waypost.config.values import HostPort
from waypost.control.accounts.schema import NewAccount
from waypost.control.accounts.service import create_account, decide
from waypost.control.app import create_app
from waypost.control.install import open_install
from waypost.control.keys import hashing
from waypost.control.keys.schema import NewApiKey
from waypost.control.keys.service import CreatedApiKey, create_api_key
from waypost.control.limits import Limits
from waypost.control.process import serve
from waypost.control.profiles.schema import NewProfile
from waypost.control.profiles.service import create_profile
from waypost.control.sends.events import first_of_link, first_of_send
from waypost.control.sources import Sources
from waypost.db import ControlKey, Database
from waypost.db.states import AccountState, Role
from waypost.db.tables import Account, Profile
from waypost.events.name import EventName
from waypost.keyfile import add_key, create_keyring
from waypost.links.keyring import Keyring
from waypost.store import EventStore
from waypost.store.rows import ChosenEvents, Measure, PeriodCount, Summary

START = datetime(2026, 3, 29, 1, 30, 15, 123456, UTC)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self):
        return self.now

    def advance(self, **amount):
        self.now += timedelta(**amount)


@dataclass
class FakeStore:
    """An event store that remembers what it is given; `broken` makes it fail."""

    events: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    broken: Exception | None = None
    real: EventStore | None = None
    """Asked for what is not made up here."""

    def send_events(self, account, send_id):
        if self.broken:
            raise self.broken
        return self.events.get((account, send_id), [])

    def chosen_events(self, wanted):
        asked = {(account, send_id) for account, send_id, _ in wanted}
        of_sends = [self.send_events(*each) for each in asked]
        return ChosenEvents(
            [each for events in of_sends for each in events if (each.account, each.send_id, each.event_id) in wanted],
            frozenset().union(*map(first_of_send, of_sends)),
            frozenset().union(*map(first_of_link, of_sends)),
        )

    @property
    def analysis(self):
        return self

    def summary(self, account, period, _filters):
        if self.broken:
            raise self.broken
        self.asked.append((account, period.from_, period.to))
        counts = {name: PeriodCount(5, 3) for name in EventName}
        return Summary(period.from_, period.to, counts, {EventName.CLICK: dict.fromkeys(Measure, PeriodCount(1, 1))})

    def engagement(self, *asked, **more):
        return self.real.analysis.engagement(*asked, **more)

    def knows_time_zone(self, name):
        return self.real.analysis.knows_time_zone(name)

    def domains(self, *asked):
        return self.real.analysis.domains(*asked)

    @property
    def export(self):
        return self.real.export

    def clicks(self, _account, _send_ids):
        if self.broken:
            raise self.broken
        return {}


@dataclass
class Tenant:
    """An account with a key, logged in."""

    client: httpx.Client
    account: Account
    key: CreatedApiKey
    domain: str
    profile: Profile | None = None
    headers: dict = field(default_factory=dict)

    @property
    def basic(self):
        pair = f"{self.key.api_key.key}:{self.key.secret}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    def login(self):
        answer = self.client.post("/oauth/token", params={"grant_type": "password"}, headers=self.basic)
        assert answer.status_code == 200, answer.text
        self.headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return answer.json()

    def get(self, path, **more):
        return self.client.get(path, headers=self.headers, **more)

    def post(self, path, body, **more):
        return self.client.post(path, json=body, headers=self.headers, **more)

    def put(self, path, body=None):
        return self.client.put(path, json=body, headers=self.headers)

    def delete(self, path):
        return self.client.delete(path, headers=self.headers)

    def message(self, **fields):
        return {
            "from_email_address": f"shop@{self.domain}",
            "recipient_email_address": "ada@example.com",
            "content_html": '<a href="https://example.com/a">go</a>',
            **fields,
        }

    def send(self, **fields):
        return self.post("/api/v1/email/send", self.message(**fields))


@dataclass
class Api:
    client: httpx.Client
    database: Database
    store: FakeStore
    clock: Clock
    sources: Sources
    keyring: Keyring
    control_key: ControlKey
    data: Path
    limits: Limits
    development_domains: tuple = ("localhost",)
    _numbers: itertools.count = field(default_factory=itertools.count)

    def tenant(self, role=Role.STANDARD, *, state=AccountState.APPROVED, link_domain="localhost"):
        domain = f"shop{next(self._numbers)}.example"
        account = create_account(self.database, self.sources, NewAccount(name="Shop", email=f"owner@{domain}"))
        steps = {AccountState.SUSPENDED: [AccountState.APPROVED, AccountState.SUSPENDED], AccountState.PENDING: []}
        for step in steps.get(state, [state]):
            account = decide(self.database, self.sources, account.public_id, step, reason="a reason", decided_by="cli")
        profile = None
        if link_domain:
            new = NewProfile(profile_name="p", sending_domain=domain, link_domain=link_domain)
            profile = self.create_profile(account, new)
        tenant = Tenant(self.client, account, self.another_key(account, role), domain, profile)
        tenant.login()
        return tenant

    def create_profile(self, account, new):
        return create_profile(
            self.database, self.sources, account, new, self.development_domains, control_key=self.control_key
        )

    def another_key(self, account, role):
        return create_api_key(self.database, self.sources, account.public_id, NewApiKey(name="k", role=role))

    def as_role(self, tenant, role):
        """The same account, with a key of another role."""
        other = Tenant(self.client, tenant.account, self.another_key(tenant.account, role), tenant.domain)
        other.login()
        return other

    def operator(self, role=Role.IAC):
        """The operator's account, which the first start made, with a key of this role."""
        with self.database.reading() as session:
            account = session.scalars(select(Account).where(Account.is_operator)).one()
        return self.as_role(Tenant(self.client, account, None, "localhost"), role)

    @contextlib.contextmanager
    def served_anew(self, environment=(), **parts):
        """A client of another API over the same database, with other settings or parts."""
        url = self.database.engine.url.render_as_string(hide_password=False)
        app = create_app(
            load(None, {"WAYPOST_DB__URL": url, **dict(environment)}, self.data),
            database=self.database,
            store=self.store,
            keyring=lambda: self.keyring,
            control_key=self.control_key,
            sources=self.sources,
            **parts,
        )
        with serving(app) as origin, httpx.Client(base_url=origin, timeout=60) as client:
            yield client

    def no_attempts_yet(self):
        """Forget the attempts that were counted: the clock stands, so they would never come back."""
        for throttle in vars(self.limits).values():
            throttle._used_up_until.clear()


@contextlib.contextmanager
def serving(app):
    """The app behind its real server, in a loop of its own; its origin."""
    listen = HostPort("127.0.0.1", *free_ports(1))
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(app, listen, stop)))
    thread.start()
    try:
        wait_until_it_listens(listen)
        yield f"http://{listen}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        assert not thread.is_alive()
        loop.close()


def wait_until_it_listens(listen, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection((listen.host, listen.port), 1).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, f"nothing listens on {listen}"
            time.sleep(0.01)


def number_accounts_from(database, first):
    """Have the next account get this number: events of several control databases' accounts meet in one event store."""
    sqlite = "UPDATE sqlite_sequence SET seq = :first - 1 WHERE name = 'accounts'"
    postgresql = "SELECT setval(pg_get_serial_sequence('accounts', 'number'), :first, false)"
    with database.writing() as session:
        session.execute(text(sqlite if database.engine.dialect.name == "sqlite" else postgresql), {"first": first})


@contextlib.contextmanager
def new_api(data, url, store, first_account):
    """The API over the control database at `url`, an empty one, with what is below `data`."""
    settings = load(None, {"WAYPOST_DB__URL": url}, data)
    clock, fake = Clock(), FakeStore(real=store)
    sources = Sources(clock, os.urandom, rsa_private_key)
    install = open_install(settings, sources)
    number_accounts_from(install.database, first_account)
    create_keyring(data / "keyring.json")
    keyring = add_key(data / "keyring.json")
    app = create_app(
        settings,
        database=install.database,
        store=fake,
        keyring=lambda: keyring,
        control_key=install.control_key,
        sources=sources,
    )
    with serving(app) as origin, httpx.Client(base_url=origin, timeout=60) as client:
        limits = app.state.control.limits
        yield Api(client, install.database, fake, clock, sources, keyring, install.control_key, data, limits)
    install.database.close()


@pytest.fixture(scope="session")
def on_sqlite(tmp_path_factory, store):
    with new_api(tmp_path_factory.mktemp("data"), "", store, 200_001) as api:
        yield api


@pytest.fixture(scope="session")
def on_postgresql(tmp_path_factory, store, postgresql):
    with new_api(tmp_path_factory.mktemp("data"), postgresql.new_database(), store, 400_001) as api:
        yield api


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def served(request):
    """One of the two, which stay while tests change from one to the other."""
    return request.getfixturevalue(f"on_{request.param}")


@pytest.fixture(autouse=True)
def secrets_are_hashed_cheaply(monkeypatch):
    """At full cost, which `unit/control/test_hashing.py` has, a key and a login would be most of what a test takes."""
    monkeypatch.setattr(hashing, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def api(served):
    yield served
    served.clock.now = START
    served.no_attempts_yet()
    served.store.broken = None
    served.store.asked.clear()
