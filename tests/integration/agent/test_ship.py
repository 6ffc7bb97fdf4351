"""Segments and facts over HTTP to a core that misbehaves: nothing leaves the spool that was not stored."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from tests.acceptance.operator import eventually
from tests.unit.store.rows import hit

from waypost.agent.core import Core
from waypost.agent.errors import CoreError, CoreRefused
from waypost.agent.facts import Facts
from waypost.agent.ship import Shipper
from waypost.agent.view import View
from waypost.config import load
from waypost.events.ids import uuid7
from waypost.fleet.snapshot import Blocks, Snapshot, encode_snapshot
from waypost.keyfile import create_keyring, keyring_path, load_keyring
from waypost.keyfile.snapshot import load_snapshot, snapshot_path
from waypost.spool import sealed_segments
from waypost.spool.conservation import account
from waypost.spool.counters import Counters
from waypost.spool.files import Files
from waypost.spool.ledger import Entries, read_ledger
from waypost.spool.replay import Settled, hand_back, settled_segments
from waypost.spool.segments import SegmentWriter

from .scripted_core import NOT_CHANGED, ScriptedCore

NOW = datetime(2026, 3, 4, tzinfo=UTC)


@pytest.fixture
def core():
    scripted = ScriptedCore()
    yield scripted
    scripted.close()


@pytest.fixture
def settings(tmp_path, core):
    create_keyring(keyring_path(tmp_path))
    environ = {"WAYPOST_EDGE__CONTROL_URL": core.url, "WAYPOST_EDGE__CREDENTIAL": "wpe_x", "WAYPOST_EDGE__NAME": "far"}
    return load(None, environ, tmp_path)


@pytest.fixture
def worker(tmp_path):
    """A worker's spool directory with two sealed segments of three and two records."""
    directory = tmp_path / "spool" / "far-0"
    files = Files()
    for minute, records in enumerate((3, 2)):
        segments = SegmentWriter(
            directory,
            "far-0",
            Counters.in_memory(until_kept=True),
            sync=False,
            segment_bytes=10**6,
            segment_seconds=60,
            files=files,
            now=lambda minute=minute: NOW + timedelta(minutes=minute),
        )
        segments.write([hit(1, uuid7(1, uuid4().bytes)) for _ in range(records)])
        segments.close()
    return directory


def shipper(settings, clock=lambda: 0.0):
    return Shipper(
        Core(settings),
        settings.data / "spool",
        "far",
        keep_seconds=600,
        quarantine_days=30,
        wall=lambda: 0.0,
        monotonic=clock,
        chance=lambda: 0.5,
    )


def receipt(**fields):
    return lambda _: (200, {}, json.dumps(fields).encode())


def test_a_segment_goes_when_all_of_it_is_stored_and_is_counted_once(core, settings, worker):
    first, second = sealed_segments(worker)
    contents = {path.stem: path.read_bytes() for path in (first, second)}
    core.answers["spool"] = receipt(stored=3)
    assert shipper(settings).ship() == 2
    assert dict(core.segments) == contents
    assert sealed_segments(worker) == []
    assert sorted(path.suffix for path in worker.glob("*.done")) == [".done", ".done"]
    assert read_ledger(worker).stored == 6  # what the core says, which counts what was there before too


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b"<html>Welcome to the airport</html>"),
        (200, {}, b"{}"),
        (200, {}, b'{"stored": 1}'),
        (200, {}, b'{"stored": "3"}'),
        (302, {"Location": "http://127.0.0.1:1/"}, b""),
        (204, {}, b""),
        (500, {}, b""),
        (401, {}, b'{"code": 1, "message": "no"}'),
        (503, {"Retry-After": "7"}, b""),
        (200, {"Content-Encoding": "gzip"}, b"no gzip"),
    ],
)
def test_nothing_leaves_the_spool_on_an_answer_that_is_no_receipt(core, settings, worker, answer):
    core.answers["spool"] = lambda _: answer
    before = sealed_segments(worker)
    with pytest.raises(CoreError) as refused:
        shipper(settings).ship()
    assert refused.value.retry_after_seconds == (7 if answer[0] == 503 else None)
    assert sealed_segments(worker) == before
    assert read_ledger(worker).stored == 0


def test_what_the_core_cannot_hold_is_set_aside_and_what_it_cannot_read_yet_waits_without_stopping_others(
    core, settings, worker
):
    clock = [0.0]
    ship = shipper(settings, lambda: clock[0])
    first, second = sealed_segments(worker)
    too_new, in_part = receipt(stored=0, reason="version"), receipt(stored=1, quarantined=1)
    core.answers["spool"] = lambda segment: (too_new if segment == first.stem else in_part)(segment)
    assert ship.ship() == 1
    assert sealed_segments(worker) == [first]
    assert second.with_name(f"{second.stem}.1-1.bad").exists()
    assert "upgrade" in ship().waiting[0]
    core.answers["spool"] = receipt(stored=3)
    assert ship.ship() == 0  # not at once again
    clock[0] = 61.0
    assert ship.ship() == 1
    assert (sealed_segments(worker), ship().waiting) == ([], ())
    assert (read_ledger(worker).stored, read_ledger(worker).quarantined) == (4, 1)


def test_a_segment_that_was_copied_to_another_worker_s_stops_no_others(core, settings, worker):
    """The core would answer 404 to it, each time."""
    ship = shipper(settings)
    first, _ = sealed_segments(worker)
    other = worker.with_name("far-1")
    other.mkdir()
    first.rename(other / first.name)
    core.answers["spool"] = receipt(stored=2)
    assert ship.ship() == 1
    assert ship().waiting == ("a segment of another worker lies at far-1's: move it to that one's",)


def test_a_segment_that_the_disk_does_not_give_back_stops_no_others(core, settings, worker):
    first, second = sealed_segments(worker)
    first.unlink()
    first.symlink_to(first)
    core.answers["spool"] = receipt(stored=2)
    shipping = shipper(settings)
    assert shipping.ship() == 1
    assert [name for name, _ in core.segments] == [second.stem]
    [reason] = shipping().waiting
    assert first.stem in reason
    assert "Too many levels of symbolic links" in reason


def test_stored_segments_are_not_kept_longer_because_the_core_is_away(core, settings, worker):
    """They hold addresses of readers: spool.keep_seconds says for how long."""
    core.answers["spool"] = receipt(stored=3)
    shipper(settings).ship()
    assert len(settled_segments(worker, Settled.STORED)) == 2
    settled_segments(worker, Settled.STORED)[0].rename(worker / f"far-0.{uuid4()}.seg")
    core.answers["spool"] = lambda _: (503, {}, b"")
    ticks = itertools.count(0, 10)
    ship = shipper(settings, lambda: float(next(ticks)))
    ship.start()
    try:
        eventually(lambda: settled_segments(worker, Settled.STORED) == [])
    finally:
        ship.stop()
    assert len(sealed_segments(worker)) == 1


def test_a_segment_that_is_handed_back_is_shipped_again_and_counted_once(core, settings, worker):
    """The core lost its event store: what an edge elsewhere still keeps brings its clicks back."""
    ship = shipper(settings)
    contents = {path.stem: path.read_bytes() for path in sealed_segments(worker)}
    core.answers["spool"] = lambda segment: receipt(stored=3 if segment == min(contents) else 2)(segment)
    assert ship.ship() == 2
    before = account(worker)
    for path in settled_segments(worker, Settled.STORED):
        hand_back(path)
    core.segments.clear()
    assert ship.ship() == 2
    assert dict(core.segments) == contents
    assert account(worker) == before
    assert [path.stem for path in settled_segments(worker, Settled.STORED)] == sorted(contents)


def test_what_was_set_aside_ships_again_once_the_core_can_hold_it(core, settings, worker):
    ship = shipper(settings)
    core.answers["spool"] = receipt(stored=1, quarantined=2)
    assert ship.ship() == 2
    for path in settled_segments(worker, Settled.QUARANTINED):
        hand_back(path)
    core.answers["spool"] = receipt(stored=3)
    assert ship.ship() == 2
    assert read_ledger(worker) == Entries(stored=6, quarantined=0)


def test_newly_sealed_segments_do_not_wait_for_all_that_is_handed_back(core, settings, worker, monkeypatch):
    monkeypatch.setattr("waypost.agent.ship.REPLAYED_BATCHES", 1)
    monkeypatch.setattr("waypost.agent.ship.AT_ONCE", 1)
    ship = shipper(settings)
    core.answers["spool"] = receipt(stored=3)
    assert ship.ship() == 2
    for path in settled_segments(worker, Settled.STORED):
        hand_back(path)
    assert [ship.ship() for _ in range(3)] == [1, 1, 0]


def facts(settings, view=None):
    taken = view or View(0.0)
    return Facts(Core(settings), settings.data, lambda: taken, wall=lambda: 0.0, chance=lambda: 0.5)


def serve_snapshot(core, keyring, version, *, blocks=Blocks()):  # noqa: B008 -- frozen
    data = encode_snapshot(Snapshot(version, NOW, {}, blocks), keyring)
    core.answers["snapshot"] = lambda _: (200, {"ETag": f'"{version}"'}, data)
    return data


def test_a_newer_snapshot_replaces_the_file_and_an_older_or_forged_one_never_does(core, settings):
    keyring = load_keyring(keyring_path(settings.data))
    path = snapshot_path(settings.data)
    served = serve_snapshot(core, keyring, 7, blocks=Blocks(accounts=frozenset({1})))
    fetching = facts(settings)
    fetching.fetch()
    assert path.read_bytes() == served
    assert path.stat().st_mode & 0o777 == 0o600
    serve_snapshot(core, keyring, 6)
    fetching.fetch()
    assert "older" in fetching().snapshot_refused
    core.answers["snapshot"] = lambda _: (200, {}, served.replace(b'"accounts":[1]', b'"accounts":[2]'))
    fetching.fetch()
    assert "MAC" in fetching().snapshot_refused
    assert load_snapshot(path, keyring).blocks.accounts == {1}
    serve_snapshot(core, keyring, 8)
    fetching.fetch()
    assert (fetching().snapshot_refused, load_snapshot(path, keyring).version) == ("", 8)


def test_an_edge_that_the_core_does_not_know_any_more_is_told_how_to_get_a_new_credential(core, settings):
    """Not how users of the API get a token, which is what the core's answer says."""
    told = b'{"code": 40101, "message": "ask for one at POST /oauth/token"}'
    core.answers["keyring"] = lambda _: (401, {}, told)
    with pytest.raises(CoreRefused) as refused:
        facts(settings).fetch()
    assert str(refused.value).startswith("it answered 401: it does not know this edge's credential (removed, or wrong)")
    assert "`waypost edges add far` on the core's machine" in str(refused.value)
    assert "oauth" not in str(refused.value)


def test_a_keyring_with_more_keys_is_written_and_one_without_a_held_key_is_not(core, settings):
    path = keyring_path(settings.data)
    before = path.read_text()
    more = load_keyring(path).add(bytes(range(64)))
    core.answers["keyring"] = lambda _: (200, {"ETag": '"2"'}, more.dump().encode())
    fetching = facts(settings)
    fetching.fetch()
    assert load_keyring(path) == more
    core.answers["keyring"] = lambda _: (200, {"ETag": '"3"'}, before.encode())
    fetching.fetch()
    assert "lacks key 2" in fetching().keyring_refused
    core.answers["keyring"] = lambda _: (200, {}, b"garbage")
    with pytest.raises(CoreError, match="keyring"):
        fetching.fetch()
    assert load_keyring(path) == more


def test_a_file_that_an_old_backup_took_the_place_of_is_fetched_again(core, settings):
    """The core has nothing newer than what was fetched, and what is here is older."""
    keyring_file, snapshot_file = keyring_path(settings.data), snapshot_path(settings.data)
    old = keyring_file.read_bytes()
    keyring = load_keyring(keyring_file).add(bytes(range(64)))
    snapshots = [encode_snapshot(Snapshot(version, NOW, {}, Blocks()), keyring) for version in (7, 8)]
    for what, data in (("keyring", keyring.dump().encode()), ("snapshot", snapshots[1])):
        core.answers[what] = lambda _, what=what, data=data: (
            NOT_CHANGED if core.etags[what] == '"newest"' else (200, {"ETag": '"newest"'}, data)
        )
    fetching = facts(settings)
    fetching.fetch()
    keyring_file.write_bytes(old)
    snapshot_file.write_bytes(snapshots[0])
    fetching.fetch()
    assert load_keyring(keyring_file) == keyring
    assert snapshot_file.read_bytes() == snapshots[1]
    fetching.fetch()
    assert core.etags == {"keyring": '"newest"', "snapshot": '"newest"'}
