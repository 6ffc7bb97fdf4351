"""The internal listener's answers, without a socket."""

import json
from datetime import UTC, datetime

import pytest

from waypost.agent.app import AgentApp
from waypost.agent.view import Remote, Shipping
from waypost.edge.decide import Request
from waypost.geoip.state import DatabaseState
from waypost.geoip.state import State as GeoipState

from .machine import NOW, view, worker


def ask(target, seen=None, remote=None, link_domains=(), method=b"GET"):
    app = AgentApp(lambda: seen or view(), lambda: remote, link_domains, lambda: NOW)
    answers = []
    app.handle(Request(method, target.encode(), b"127.0.0.1:8027", "127.0.0.1", {}), answers.append)
    return answers[0]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("links.example.com", 200),
        ("LINKS.Example.com.", 200),
        ("example.com", 404),
        ("x.links.example.com", 404),
        ("early.example.com", 404),
        ("", 404),
        ("links.example.com..", 404),
    ],
)
def test_with_a_snapshot_its_link_domains_may_have_certificates_and_nothing_else(name, status):
    assert ask(f"/ask?domain={name}", link_domains=["early.example.com"]).status == status


@pytest.mark.parametrize(("name", "status"), [("EARLY.example.com", 200), ("links.example.com", 404)])
def test_without_a_snapshot_those_of_the_settings_may(name, status):
    assert ask(f"/ask?domain={name}", view(snapshot=None), link_domains=["early.example.com"]).status == status


@pytest.mark.parametrize(
    "query", ["", "?domain", "?name=links.example.com", "?domain=links.example.com&domain=a.example"]
)
def test_a_question_that_is_none_is_answered_no(query):
    assert ask("/ask" + query).status == 404


def test_readyz_is_503_and_says_why():
    answer = ask("/readyz", view(worker(), worker("edge-1", silent=60)))
    told = json.loads(answer.body)
    assert (answer.status, told["ready"], told["problems"]) == (503, False, ["edge-1 has been silent for 60 s"])
    assert [(each["name"], each["up"]) for each in told["workers"]] == [("edge-0", True), ("edge-1", False)]
    assert ask("/readyz").status == 200
    assert ask("/livez", view(snapshot=None)).status == 200


def test_there_is_nothing_else_and_nothing_can_be_changed():
    assert ask("/").status == 404
    assert ask("/readyz", method=b"POST").status == 405


def test_metrics_tell_each_worker_and_the_link_to_the_core():
    remote = Remote("https://core.example", contact_at=NOW - 3, shipping=Shipping(segments=4, records=40, failures=2))
    lines = ask("/metrics", view(worker(oldest_at=NOW - 9)), remote).body.decode().splitlines()
    assert {
        'waypost_clicks_answered_total{worker="edge-0"} 20.0',
        'waypost_clicks_lost_total{reason="no_space",worker="edge-0"} 2.0',
        'waypost_clicks_stored_total{worker="edge-0"} 13.0',
        'waypost_clicks_unaccounted{worker="edge-0"} 0.0',
        'waypost_requests_total{seen="click",worker="edge-0"} 20.0',
        'waypost_spool_records{worker="edge-0"} 5.0',
        'waypost_spool_oldest_age_seconds{worker="edge-0"} 9.0',
        'waypost_worker_up{worker="edge-0"} 1.0',
        "waypost_snapshot_version 7.0",
        "waypost_keyring_keys 1.0",
        "waypost_ready 1.0",
        "waypost_control_contact_age_seconds 3.0",
        "waypost_shipped_records_total 40.0",
        "waypost_shipping_failures_total 2.0",
    } <= set(lines)


def test_metrics_tell_how_old_the_databases_of_places_are():
    city = DatabaseState(path="/d/city.mmdb", built_at=datetime.fromtimestamp(NOW - 90, UTC))
    state = GeoipState(databases=[city, DatabaseState(path="/d/asn.mmdb", problem="it is not there")], stale_days=62)
    lines = ask("/metrics", view(geoip=state)).body.decode().splitlines()
    assert [line for line in lines if line.startswith("waypost_geoip")] == [
        'waypost_geoip_database_used{database="/d/city.mmdb"} 1.0',
        'waypost_geoip_database_used{database="/d/asn.mmdb"} 0.0',
        'waypost_geoip_database_age_seconds{database="/d/city.mmdb"} 90.0',
    ]
