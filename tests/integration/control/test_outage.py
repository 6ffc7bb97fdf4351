"""The control database goes away under the API, and comes back."""

import os

import httpx
import pytest
from sqlalchemy import make_url
from tests.integration.control.conftest import Api, Clock, FakeStore, serving

from waypost.config import load
from waypost.control.app import create_app
from waypost.control.install import open_install
from waypost.control.sources import Sources
from waypost.keyfile import create_keyring


@pytest.fixture
def outage(postgresql, tmp_path):
    """An API on a PostgreSQL database, and the two switches of that database."""
    url = postgresql.new_database()
    name = make_url(url).database
    clock = Clock()
    sources = Sources(clock, os.urandom)
    settings = load(None, {"WAYPOST_DB__URL": url}, tmp_path)
    install = open_install(settings, sources)
    keyring = create_keyring(tmp_path / "keyring.json")
    app = create_app(
        settings,
        database=install.database,
        store=FakeStore(),
        keyring=lambda: keyring,
        control_key=install.control_key,
        sources=sources,
    )

    def down():
        postgresql.administer(
            f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )

    def up():
        postgresql.administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    with serving(app) as origin, httpx.Client(base_url=origin, timeout=60) as client:
        yield (
            Api(
                client,
                install.database,
                FakeStore(),
                clock,
                sources,
                keyring,
                install.control_key,
                tmp_path,
                app.state.control.limits,
            ),
            down,
            up,
        )
    install.database.close()


def test_while_the_database_is_away_it_is_503_and_afterwards_all_goes_on(outage):
    api, down, up = outage
    tenant = api.tenant()
    assert tenant.send().status_code == 202

    down()
    away = [tenant.send(), tenant.get("/oauth/me"), api.client.post("/oauth/revoke", json={"refresh_token": "x"})]
    up()

    assert [(answer.status_code, answer.json()["code"]) for answer in away] == [(503, 50302)] * 3
    assert tenant.send().status_code == 202
