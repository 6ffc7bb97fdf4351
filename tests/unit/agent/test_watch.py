"""What the agent sees in a data directory."""

from waypost.agent.watch import Watch
from waypost.geoip.state import State, write_state
from waypost.keyfile import add_key, create_keyring, keyring_path


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
