"""Several processes serve one API over PostgreSQL, as `waypost up` runs them: whoever gets a request answers alike."""

import contextlib
import csv
import http.client
import json
import os
import signal
import time
from base64 import b64encode
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from demo.product import Product
from demo.sink import Sink
from tests.acceptance.operator import eventually
from tests.ports import free_ports

DOMAIN = "shop.example"
CONNECTIONS = 16
"""That the kernel gives all of them to one of two processes happens once in 32,768 times."""
SECONDS = 60
AGAIN_SECONDS = 180
"""For a process to be there again while other tests have the processors."""


class Connection(http.client.HTTPConnection):
    """One connection, which stays with the process that the kernel gave it to."""

    def __init__(self, port):
        super().__init__("127.0.0.1", port, timeout=SECONDS)

    def ask(self, method, path, body=None, **headers):
        """Status, headers, and the body: JSON where it is some."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.getresponse()
        text = answer.read()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, answer.headers, json.loads(text) if is_json else text


class Install:
    """A `waypost up` with two API workers, and an account that may send."""

    def __init__(self, product, sink, database):
        self.product = product
        self.database = database
        self.sink = sink
        self.opened = []
        self.key, self.secret = product.approved_account(f"owner@{DOMAIN}", DOMAIN)
        self.bearer = self.log_in()

    def log_in(self):
        query = urlencode({"grant_type": "password"})
        status, _, answer = self.ask("POST", f"/oauth/token?{query}", Authorization=basic(self.key, self.secret))
        assert status == 200
        return f"Bearer {answer['access_token']}"

    def connection(self):
        """A new one, which is closed when the test ends."""
        self.opened.append(Connection(self.product.api_port))
        return self.opened[-1]

    def connections(self):
        return [self.connection() for _ in range(CONNECTIONS)]

    def ask(self, *arguments, **headers):
        return self.connection().ask(*arguments, **headers)

    def send(self, connection, recipient, **headers):
        return connection.ask("POST", "/api/v1/email/send", a_send(recipient), Authorization=self.bearer, **headers)

    def process(self, name):
        """Its number; None while there is none. `name` is how its command line begins."""
        parent = self.product.process.pid
        for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
            with contextlib.suppress(FileNotFoundError):
                words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
                if words[4 : 4 + len(name)] == list(name):
                    return int(child)
        return None


WORKER = ("api-worker", "--worker", "0")
OTHER = ("api-worker", "--worker", "1")
CORE = ("core",)


def basic(key, secret):
    return "Basic " + b64encode(f"{key}:{secret}".encode()).decode()


def a_send(recipient):
    return {
        "from_email_address": f"news@{DOMAIN}",
        "recipient_email_address": recipient,
        "subject": "News",
        "content_html": '<p><a href="https://www.shop.example/">shop</a></p>',
        "click_tracking": True,
    }


@pytest.fixture(scope="module")
def install(tmp_path_factory, postgresql):
    with pytest.MonkeyPatch.context() as environment, Sink(*free_ports(1)) as sink:
        database = postgresql.new_database()
        environment.setenv("WAYPOST_DB__URL", database)
        product = Product(tmp_path_factory.mktemp("workers"), sink.port, ports=free_ports(3))
        try:
            product.start()
            yield Install(product, sink, database.replace("+psycopg", ""))
        finally:
            product.stop()


@pytest.fixture(autouse=True)
def _connections_are_closed(install):
    yield
    for connection in install.opened:
        connection.close()
    install.opened.clear()


def at_once(connections, ask):
    with ThreadPoolExecutor(len(connections)) as pool:
        return list(pool.map(ask, range(len(connections)), connections))


def test_two_processes_take_connections_and_one_that_hangs_holds_up_its_own_only(install):
    connections = install.connections()
    for connection in connections:
        connection.connect()
    worker = install.process(WORKER)
    os.kill(worker, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            asked = [
                pool.submit(install.send, connection, f"hangs-{number}@example.com")
                for number, connection in enumerate(connections)
            ]
            eventually(lambda: any(each.done() for each in asked))
            time.sleep(1)
            held = sum(not each.done() for each in asked)
            os.kill(worker, signal.SIGCONT)
            assert {each.result()[0] for each in asked} == {202}
    finally:
        os.kill(worker, signal.SIGCONT)
    assert 0 < held < CONNECTIONS


def test_what_any_of_them_took_is_delivered_and_shown_by_all(install):
    taken = at_once(install.connections(), lambda n, connection: install.send(connection, f"taken-{n}@example.com"))
    assert {status for status, _, _ in taken} == {202}
    eventually(lambda: {f"taken-{n}@example.com" for n in range(CONNECTIONS)} <= set(install.sink.delivered))
    send_ids = [answer["send_id"] for _, _, answer in taken]
    for connection in install.connections():
        status, _, answer = connection.ask("GET", "/api/v1/email/send?limit=100", Authorization=install.bearer)
        assert status == 200
        assert set(send_ids) <= {each["send_id"] for each in answer}


def test_an_idempotency_key_is_done_once_whoever_gets_it(install):
    def again(_, connection):
        return install.send(connection, "once@example.com", Idempotency_Key="once")

    answers = at_once(install.connections(), again)
    assert {status for status, _, _ in answers} == {202}
    assert len({answer["send_id"] for _, _, answer in answers}) == 1
    assert sum(headers["Idempotent-Replayed"] is None for _, headers, _ in answers) == 1


def test_a_batch_is_taken_and_its_refusals_are_told(install):
    message = {name: value for name, value in a_send("").items() if name != "recipient_email_address"}
    recipients = [{"recipient_email_address": f"batch-{n}@example.com"} for n in range(3)]
    body = message | {"recipients": [*recipients, {"recipient_email_address": "nobody"}]}
    for connection in install.connections():
        status, _, answer = connection.ask("POST", "/api/v1/email/send/batch", body, Authorization=install.bearer)
        assert (status, answer["accepted"], answer["refused"]) == (202, 3, 1)


def test_a_session_that_has_ended_sends_nothing_more_through_any_of_them(install):
    query = urlencode({"grant_type": "password"})
    _, _, granted = install.ask("POST", f"/oauth/token?{query}", Authorization=basic(install.key, install.secret))
    bearer = f"Bearer {granted['access_token']}"

    def send(n, connection):
        return connection.ask("POST", "/api/v1/email/send", a_send(f"ended-{n}@example.com"), Authorization=bearer)[0]

    connections = install.connections()
    assert at_once(connections, send) == [202] * CONNECTIONS  # now all of them know the session
    install.ask("POST", "/oauth/revoke", {"refresh_token": granted["refresh_token"]})
    assert [send(n, each) for n, each in enumerate(connections)] == [401] * CONNECTIONS
    install.bearer = install.log_in()


def test_refusals_are_the_same_as_ever(install):
    for connection in install.connections():
        bearer = install.bearer
        asked = {
            "unknown path": connection.ask("GET", "/nowhere"),
            "no token": connection.ask("POST", "/api/v1/email/send", {}),
            "not JSON": connection.ask("POST", "/api/v1/email/send", Authorization=bearer),
            "a wrong field": connection.ask("POST", "/api/v1/email/send", a_send("nobody"), Authorization=bearer),
            "another method": connection.ask("PUT", "/api/v1/email/send", {}, Authorization=bearer),
            "no such send": connection.ask("GET", f"/api/v1/email/send/{'0' * 32}", Authorization=bearer),
            "an empty period": connection.ask(
                "GET", "/api/v1/analysis/summary?from=1700000000000&to=1600000000000", Authorization=bearer
            ),
        }
        assert {name: answer["code"] for name, (_, _, answer) in asked.items()} == {
            "unknown path": 40401,
            "no token": 40101,
            "not JSON": 40002,
            "a wrong field": 40002,
            "another method": 40501,
            "no such send": 40402,
            "an empty period": 40002,
        }


def test_events_and_analysis_are_the_core_s_and_an_export_is_whole(install):
    _, _, sent = install.send(install.connection(), "export@example.com")
    path = f"/api/v1/email/send/{sent['send_id']}/events"

    def delivered():
        _, _, events = install.ask("GET", path, Authorization=install.bearer)
        return "delivered" in {event["event"] for event in events}

    eventually(delivered)
    for connection in install.connections():
        status, headers, lines = connection.ask(
            "GET", "/api/v1/analysis/export?format=csv", Authorization=install.bearer
        )
        rows = list(csv.DictReader(lines.decode().splitlines()))
        assert (status, len(rows)) == (200, int(headers["Waypost-Rows"]))
        assert "export@example.com" in {row["recipient_email_address"] for row in rows}
        status, _, summary = connection.ask("GET", "/api/v1/analysis/summary", Authorization=install.bearer)
        assert (status, summary["group_by"]["delivered"]["current"] > 0) == (200, True)


def test_failed_logins_are_counted_over_all_of_them_and_by_who_failed(install):
    def log_in(address):
        query = urlencode({"grant_type": "password"})
        wrong = basic(install.key, "wrong")
        return install.ask("POST", f"/oauth/token?{query}", Authorization=wrong, X_Forwarded_For=address)[0]

    assert [log_in("203.0.113.1") for _ in range(12)] == [401] * 10 + [429] * 2
    assert log_in("203.0.113.2") == 401


def test_one_that_is_killed_comes_back_and_nobody_else_is_disturbed(install):
    connections = install.connections()
    assert {install.send(each, "killed@example.com")[0] for each in connections} == {202}
    worker, other, core = (install.process(each) for each in (WORKER, OTHER, CORE))
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{worker}/fd").exists() or install.process(WORKER) != worker)

    def outcome(connection):
        try:
            return install.send(connection, "killed@example.com")[0]
        except (ConnectionError, http.client.RemoteDisconnected):
            return "lost"

    assert set(Counter(map(outcome, connections))) == {202, "lost"}
    assert {install.send(each, "killed@example.com")[0] for each in install.connections()} == {202}
    eventually(lambda: install.process(WORKER) not in {worker, None}, seconds=AGAIN_SECONDS)
    assert (install.process(OTHER), install.process(CORE)) == (other, core)


@contextlib.contextmanager
def nobody_writes_sends(install):
    """Until the block ends; gives what says whether somebody who takes a message in waits for that."""
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO sends %'"
    with psycopg.connect(install.database, autocommit=True) as looks, psycopg.connect(install.database) as holds:
        holds.execute("LOCK TABLE sends IN SHARE MODE")
        yield lambda: looks.execute(waiting).rowcount


def test_one_that_is_told_to_stop_answers_what_it_has_begun(install):
    message = {name: value for name, value in a_send("").items() if name != "recipient_email_address"}
    recipients = [{"recipient_email_address": f"stopped-{n}@example.net"} for n in range(1000)]
    stopped = {each: install.process(each) for each in (WORKER, OTHER)}
    connection = install.connection()
    connection.connect()
    with ThreadPoolExecutor(1) as pool:
        with nobody_writes_sends(install) as one_waits:
            asked = pool.submit(
                connection.ask,
                "POST",
                "/api/v1/email/send/batch",
                message | {"recipients": recipients},
                Authorization=install.bearer,
            )
            eventually(one_waits)
            for pid in stopped.values():
                os.kill(pid, signal.SIGTERM)
            time.sleep(0.5)
            assert not asked.done()
        status, _, answer = asked.result()
    assert (status, answer["accepted"]) == (202, 1000)
    eventually(
        lambda: all(install.process(each) not in {pid, None} for each, pid in stopped.items()), seconds=AGAIN_SECONDS
    )

    def taken():
        with contextlib.suppress(ConnectionError):
            return install.send(install.connection(), "stopped@example.com")[0] == 202
        return False

    eventually(taken, seconds=AGAIN_SECONDS)


def test_without_a_core_messages_are_taken_in_and_everything_else_comes_back_with_it(install):
    core = install.process(CORE)
    os.kill(core, signal.SIGSTOP)  # so that the supervisor does not start another one meanwhile
    try:
        taken = at_once(install.connections(), lambda n, each: install.send(each, f"alone-{n}@example.com")[0])
    finally:
        os.kill(core, signal.SIGKILL)
    assert taken == [202] * CONNECTIONS
    status, headers, answer = install.ask("GET", "/oauth/validate", Authorization=install.bearer)
    assert (status, headers["Retry-After"], answer["code"]) == (503, "2", 50303)

    def answers():
        return install.ask("GET", "/oauth/validate", Authorization=install.bearer)[0] == 200

    eventually(answers, seconds=AGAIN_SECONDS)
    # Behind the thousand of the test before.
    alone = {f"alone-{n}@example.com" for n in range(CONNECTIONS)}
    eventually(lambda: alone <= set(install.sink.delivered), seconds=AGAIN_SECONDS)
