"""What the agent sees in a data directory."""

from waypost.agent.health import judge
from waypost.agent.watch import Watch
from waypost.geoip.state import State, write_state
from waypost.keyfile import add_key, create_keyring, keyring_path
from waypost.keyfile.snapshot import snapshot_path, write_snapshot

from .machine import NOW, SNAPSHOT


def test_an_old_keyring_put_back_is_told_before_a_restart_makes_links_dead(tmp_path):
    path = keyring_path(tmp_path)
    create_keyring(path)
    backup = path.read_bytes()
    newest = add_key(path)
    watch = Watch(tmp_path, (), lambda: 0.0)
    watch.look()
    assert watch().keyring_problem == ""
    path.write_bytes(backup)
    watch.look()
    assert (watch().keyring, "lacks key 2" in watch().keyring_problem) == (newest, True)


def test_a_snapshot_that_an_old_keyring_cannot_read_is_told_until_the_newest_is_back(tmp_path):
    path = keyring_path(tmp_path)
    old = create_keyring(path)
    newest = add_key(path).promote(2)
    write_snapshot(snapshot_path(tmp_path), SNAPSHOT, newest)
    path.write_text(old.dump())
    watch = Watch(tmp_path, (), lambda: NOW)
    watch.look()
    problems = judge(watch(), None, NOW).problems
    assert len(problems) == 1
    assert problems[0].startswith("there is no snapshot yet")
    assert "made with key 2, which is not in the keyring. The keyring is an old copy" in problems[0]
    path.write_text(newest.dump())
    watch.look()
    assert (watch().snapshot, judge(watch(), None, NOW).problems) == (SNAPSHOT, ())


def test_what_the_core_says_of_its_databases_is_known_and_kept_when_it_cannot_be_read(tmp_path):
    create_keyring(keyring_path(tmp_path))
    watch = Watch(tmp_path, (), lambda: 0.0)
    watch.look()
    assert (watch().geoip, watch().geoip_problem) == (None, "")
    state = State(databases=[], stale_days=62)
    write_state(tmp_path, state)
    watch.look()
    assert (watch().geoip, watch().geoip_problem) == (state, "")
    (tmp_path / "geoip.json").write_text("{")
    watch.look()
    assert (watch().geoip, watch().geoip_problem != "") == (state, True)
