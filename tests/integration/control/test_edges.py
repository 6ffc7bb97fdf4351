"""What the core says to edges on machines of their own, over real HTTP, with a real store behind it."""

import gzip
import threading
import time

import httpx
import msgspec
import pytest
from tests.unit.pipeline.segments import seal
from tests.unit.pipeline.test_intake import all_of_them
from tests.unit.store.rows import NOON, hit, send_id

from waypost.config import load
from waypost.control.app import create_app
from waypost.control.context import Fleet
from waypost.control.edges.schema import NewEdge
from waypost.control.edges.service import add_edge, edges_without, list_edges, remove_edge, report_of
from waypost.control.errors import ConflictError, NotFoundError
from waypost.control.install import open_install
from waypost.control.publishing.service import Publisher
from waypost.control.sources import SYSTEM
from waypost.fleet.courier import HeldByWorker, HeldKey, Receipt, Report, keyring_digest
from waypost.fleet.snapshot import decode_snapshot, snapshot_mac
from waypost.keyfile import create_keyring
from waypost.links.keyring import Keyring
from waypost.pipeline.collector import Collector
from waypost.pipeline.counts import Counts
from waypost.pipeline.enrich import Enricher
from waypost.pipeline.intake import Intake

from .conftest import FakeStore, serving


class Core:
    """The API of a core with its pipeline, as far as edges see it."""

    def __init__(self, client, database, publisher, keyring):
        self.client = client
        self.database = database
        self.publisher = publisher
        self.keyring = keyring
        self.credential = add_edge(database, SYSTEM, NewEdge(name="paris"))

    def call(self, method, path, *, credential=None, **more):
        headers = {"Authorization": f"Bearer {credential or self.credential}", **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def post(self, path, worker="paris-0"):
        return self.call("POST", f"/internal/spool/{worker}/{path.stem}", content=gzip.compress(path.read_bytes()))


@pytest.fixture
def core(tmp_path, store):
    settings = load(None, {}, tmp_path)
    install = open_install(settings)
    keyring = create_keyring(tmp_path / "keyring.json")
    publisher = Publisher(settings, install.database, lambda: keyring, SYSTEM.now, pseudonym=lambda send_id: send_id)
    intake, counts, stop = Intake(), Counts(), threading.Event()
    collector = Collector(tmp_path / "spool", store, Enricher(counts), counts, now=lambda: NOON)

    def collect():
        while not stop.is_set():
            collector.collect_offered(intake, all_of_them)
            time.sleep(0.01)

    thread = threading.Thread(target=collect)
    thread.start()
    app = create_app(
        settings,
        database=install.database,
        store=FakeStore(),
        keyring=lambda: keyring,
        control_key=install.control_key,
        fleet=Fleet(publisher, intake),
    )
    with serving(app) as origin, httpx.Client(base_url=origin, timeout=60) as client:
        yield Core(client, install.database, publisher, keyring)
    stop.set()
    thread.join()
    install.database.close()


ROUTES = [
    ("GET", "/internal/snapshot"),
    ("GET", "/internal/keyring"),
    ("PUT", "/internal/edges/paris"),
    ("POST", "/internal/spool/paris-0/paris-0.x"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nothing_is_said_without_a_credential(core, method, path):
    assert core.client.request(method, path).status_code == 401
    for credential in ("wpe_wrong", "x", "Basic x"):
        answer = core.client.request(method, path, headers={"Authorization": f"Bearer {credential}"})
        assert (answer.status_code, answer.json()["code"]) == (401, 40101)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_removed_edge_is_a_stranger_at_once(core, method, path):
    remove_edge(core.database, "paris")
    assert core.call(method, path).status_code == 401
    with pytest.raises(NotFoundError):
        remove_edge(core.database, "paris")


def test_the_routes_are_no_part_of_the_api_s_document(core):
    assert "/internal" not in core.client.get("/openapi.json").text


def test_a_snapshot_is_given_once_and_then_only_when_it_changed(core):
    waiting = core.call("GET", "/internal/snapshot")
    assert (waiting.status_code, waiting.headers["Retry-After"]) == (503, "1")
    core.publisher.publish()
    first = core.call("GET", "/internal/snapshot")
    assert decode_snapshot(first.content, core.keyring).version == core.publisher.version
    assert first.headers["ETag"] == f'"{snapshot_mac(first.content)}"'
    again = core.call("GET", "/internal/snapshot", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    stale = core.call("GET", "/internal/snapshot", headers={"If-None-Match": '"1.1"'})
    assert stale.content == first.content


def test_the_keyring_is_given_once_and_then_only_when_it_changed(core):
    first = core.call("GET", "/internal/keyring")
    assert Keyring.parse(first.text) == core.keyring
    assert first.headers["ETag"] == f'"{keyring_digest(core.keyring)}"'
    assert core.call("GET", "/internal/keyring", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def report(*key_ids, keyring, held=None):
    keys = [HeldKey(key.key_id, key.fingerprint) for key in keyring.keys]
    workers = [HeldByWorker(f"paris-{n}", list(held or key_ids), 7, 1_000) for n in range(2)]
    return Report("0.1.0", keys, workers)


def test_an_edge_says_what_it_holds_and_a_key_waits_for_it(core):
    key = core.keyring.minting
    assert edges_without(core.database, key) == ["edge paris has not said which keys it holds"]
    said = report(1, keyring=core.keyring)
    assert core.call("PUT", "/internal/edges/paris", content=msgspec.json.encode(said)).status_code == 204
    (edge,) = list_edges(core.database)
    assert (report_of(edge), edge.last_seen_at is not None) == (said, True)
    assert edges_without(core.database, key) == []
    added = core.keyring.add(bytes(64))
    assert "does not hold it" in edges_without(core.database, added.keys[-1])[0]
    # The file has arrived, one worker has not read it yet; or it is another key of the same id.
    for said in (report(1, keyring=added), report(1, 2, keyring=core.keyring.add(b"x" * 64))):
        core.call("PUT", "/internal/edges/paris", content=msgspec.json.encode(said))
        assert len(edges_without(core.database, added.keys[-1])) == 1
    core.call("PUT", "/internal/edges/paris", content=msgspec.json.encode(report(1, 2, keyring=added)))
    assert edges_without(core.database, added.keys[-1]) == []


def test_an_edge_speaks_for_itself_only(core, tmp_path, account):
    add_edge(core.database, SYSTEM, NewEdge(name="rome"))
    said = msgspec.json.encode(report(1, keyring=core.keyring))
    path = seal(tmp_path / "elsewhere", [hit(account, send_id())])
    for answer in (
        core.call("PUT", "/internal/edges/rome", content=said),
        core.call("POST", f"/internal/spool/rome-0/{path.stem}", content=gzip.compress(path.read_bytes())),
        core.call("POST", "/internal/spool/paris-0/rome-0.x", content=b""),
        core.call("POST", "/internal/spool/paris-x/paris-x.x", content=b""),
        core.call("POST", "/internal/spool/paris/paris.x", content=b""),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, 40402)
    answer = core.call("PUT", "/internal/edges/edge", content=said)
    assert answer.json()["message"] == "there is no such edge: edge.name is edge, and the credential is that of paris"
    with pytest.raises(ConflictError):
        add_edge(core.database, SYSTEM, NewEdge(name="rome"))


@pytest.fixture
def paris_segment(tmp_path, account):
    path = seal(tmp_path / "paris-0", [hit(account, send_id()) for _ in range(3)])
    return path.rename(path.with_name(path.name.replace("edge-0.", "paris-0.")))


def test_a_segment_is_acknowledged_once_it_is_stored(core, store, account, paris_segment):
    for _ in range(2):
        answer = core.post(paris_segment)
        assert answer.status_code == 200, answer.text
        assert msgspec.json.decode(answer.content, type=Receipt).stored == 3
    sql = "SELECT count() FROM events WHERE account = {a:UInt64}"
    assert [tuple(row) for row in store._query("test", sql, a=account)] == [(3,)]


BODIES = {
    "nothing": (b"", 400),
    "not gzip": (b"hello", 400),
    "cut short": (gzip.compress(b"x" * 10_000)[:-9], 400),
    "a bomb": (gzip.compress(bytes(129 << 20), 1), 413),
    "no segment": (gzip.compress(b"hello"), 200),
}


@pytest.mark.parametrize("name", BODIES)
def test_any_body_gets_a_clear_answer(core, name):
    body, status = BODIES[name]
    answer = core.call("POST", "/internal/spool/paris-0/paris-0.x", content=body)
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"stored": 0, "quarantined": 0, "reason": "foreign"}
    else:
        assert set(answer.json()) >= {"code", "message"}


def test_a_report_that_is_none_is_refused_with_the_field(core):
    answer = core.call("PUT", "/internal/edges/paris", content=b"{}")
    assert (answer.status_code, answer.json()["code"]) == (400, 40002)


def test_other_routes_keep_their_limit(core):
    assert core.call("PUT", "/internal/edges/paris", content=bytes(11 << 20)).status_code == 413
