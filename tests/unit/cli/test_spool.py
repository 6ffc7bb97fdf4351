"""`waypost spool` as an operator sees it."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from tests.unit.pipeline.segments import seal
from tests.unit.store.rows import hit, send_id

from waypost.cli import spool as spool_module
from waypost.cli.main import main
from waypost.spool.counters import Count, Counters, WorkerStatus
from waypost.spool.files import Files
from waypost.spool.ledger import Ledger
from waypost.spool.names import DONE_SUFFIX, QUARANTINE_SUFFIX


class Worker:
    """A worker's directory, made as worker and reader would."""

    def __init__(self, data, name):
        self.directory = data / "spool" / name
        self.directory.mkdir(parents=True)
        self.counters = Counters.open(self.directory, Files())
        self.ledger = Ledger.open(self.directory)

    def seal(self, clicks=3):
        self.counters.add(Count.ANSWERED, clicks)
        self.counters.add(Count.KEPT, clicks)
        return seal(self.directory, [hit(1, send_id()) for _ in range(clicks)])

    def stored(self, clicks=3):
        path = self.seal(clicks)
        self.ledger.settle(path, DONE_SUFFIX, stored=clicks)
        return path.with_suffix(DONE_SUFFIX)

    def set_aside(self):
        """Three clicks, one of them damaged."""
        path = self.seal()
        damage(path)
        self.ledger.settle(path, QUARANTINE_SUFFIX, stored=2, quarantined=1)
        return path.with_name(f"{path.stem}.2-1.bad")

    def lose(self, count, clicks):
        self.counters.add(Count.ANSWERED, clicks)
        self.counters.add(count, clicks)

    def report(self, failing=None):
        self.counters.report(WorkerStatus(int(time.time() * 1000), failing, 1, frozenset({1}), 0))

    def names(self):
        return sorted(path.name for path in self.directory.glob("*.*"))


def damage(path):
    """Flip a bit of the first record."""
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def worker(data):
    return Worker(data, "edge-0")


@pytest.fixture
def spool(data, monkeypatch):
    monkeypatch.setattr(spool_module.time, "sleep", lambda _: None)
    return lambda *arguments: CliRunner().invoke(
        main, ["spool", *map(str, arguments)], env={"WAYPOST_DATA": str(data)}, catch_exceptions=False
    )


def test_status_accounts_for_every_click_by_worker(spool, worker, data):
    worker.stored()
    worker.set_aside()
    worker.seal(4)
    worker.lose(Count.LOST_NO_SPACE, 2)
    Worker(data, "edge-1").stored(5)
    shown = spool("status")
    lines = [line.split() for line in shown.output.splitlines()]
    assert shown.exit_code == 0
    assert lines[0] == [
        "WORKER",
        *["ANSWERED", "UNANSWERED", "STORED", "SPOOLED", "QUARANTINED", "LOST", "DROPPED", "DIFFERENCE", "UNSYNCED"],
    ]
    assert lines[1] == ["edge-0", "12", "0", "5", "4", "1", "2", "0", "0", "0"]
    assert lines[2] == ["edge-1", "5", "0", "5", "0", "0", "0", "0", "0", "0"]
    assert "17 answered + 0 unanswered = 10 stored + 4 spooled + 1 quarantined + 2 lost + 0 dropped: it adds up." in (
        shown.output
    )
    assert "edge-0: 2 clicks were so far lost because the disk was full. Make room" in shown.output
    assert "edge-0: 1 click was quarantined" in shown.output


def test_status_tells_programs_the_same(spool, worker):
    worker.set_aside()
    path = worker.seal(4)
    worker.lose(Count.LOST_KILLED, 2)
    worker.report()
    shown = spool("status", "--json")
    told = json.loads(shown.output)
    (edge,) = told["workers"]
    assert (shown.exit_code, told["adds_up"], told["difference"]) == (0, True, 0)
    assert 0 <= edge["spooled"].pop("oldest_age_seconds") < 60
    assert edge == {
        "name": "edge-0",
        "runs": True,
        "failing": None,
        "adds_up": True,
        "answered": 9,
        "unanswered": 0,
        "stored": 2,
        "spooled": {"records": 4, "segments": 1, "bytes": path.stat().st_size},
        "quarantined": 1,
        "lost": {"no_space": 0, "io_error": 0, "overflow": 0, "writer": 0, "killed": 2},
        "dropped": 0,
        "unsynced": 0,
        "difference": 0,
        "segments": {"kept": 0, "set_aside": 1, "replayed": 0},
    }


@pytest.mark.parametrize("count", [count for count in Count if count.startswith("lost_")])
def test_status_says_of_every_loss_why_and_what_to_do(spool, worker, count):
    worker.lose(count, 1)
    assert "edge-0: 1 click was so far lost because " in spool("status").output


def test_status_shouts_while_clicks_are_being_lost(spool, worker):
    worker.lose(Count.LOST_NO_SPACE, 1)
    worker.report(failing=Count.LOST_NO_SPACE)
    assert "edge-0: CLICKS ARE BEING LOST: " in spool("status").output


def test_a_worker_killed_a_moment_ago_is_not_taken_for_one_that_loses_clicks(spool, worker):
    worker.report()
    worker.counters.owe(3)
    worker.counters.add(Count.ANSWERED, 3)
    shown = spool("status")
    assert shown.exit_code == 0
    assert "3 clicks were so far lost because the worker was killed" in shown.output


def test_clicks_that_are_nowhere_are_an_error_and_told_how_to_look_for(spool, worker):
    worker.seal()
    worker.seal().unlink()
    shown = spool("status")
    assert shown.exit_code == 1
    assert "it does NOT add up (+3 at edge-0)" in shown.output
    assert "edge-0: 3 clicks were answered and nowhere to be found." in shown.output
    assert "waypost spool verify" in shown.output


def test_a_segment_copied_back_by_hand_is_found_to_count_twice(spool, worker):
    path = worker.stored()
    path.with_suffix(".seg").write_bytes(path.read_bytes())
    shown = spool("status")
    assert shown.exit_code == 1
    assert "edge-0: 3 clicks were found more than answered." in shown.output
    assert "waypost spool replay" in shown.output


def test_the_differences_of_two_workers_do_not_hide_each_other(spool, worker, data):
    worker.seal().unlink()
    other = Worker(data, "edge-1")
    path = other.stored()
    path.with_suffix(".seg").write_bytes(path.read_bytes())
    assert spool("status").exit_code == 1


def test_old_clicks_that_wait_are_mentioned(spool, worker):
    os.utime(worker.seal(), (time.time() - 7200,) * 2)
    assert "edge-0: clicks wait for 2 h." in spool("status").output


def test_a_spool_without_workers_is_no_error(spool, data):
    (data / "spool").mkdir(parents=True)
    shown = spool("status")
    assert (shown.exit_code, shown.output) == (0, "No worker has run here yet.\n")


def test_verify_says_of_each_segment_whether_it_is_whole(spool, worker):
    stored, aside = worker.stored(), worker.set_aside()
    checked = spool("verify")
    assert checked.exit_code == 1
    assert f"edge-0/{stored.name}  stored, whole: 3 records" in checked.output
    assert f"edge-0/{aside.name}  set aside, DAMAGED: 2 records can be read and 1 known to be gone" in checked.output
    assert "counted as 2 stored and 1 quarantined" in checked.output
    assert ": no record with a right checksum" in checked.output
    assert "records that cannot be read, counted from 0: 0\n" in checked.output
    assert "2 segments: 1 whole, 1 damaged or not readable here." in checked.output
    assert stored.name not in spool("verify", "--quiet").output


def test_verify_is_content_with_whole_segments_and_with_none(spool, worker):
    assert (spool("verify").exit_code, spool("verify").output[:11]) == (0, "0 segments:")
    worker.seal()
    assert spool("verify").exit_code == 0


def test_verify_looks_at_the_files_and_directories_it_is_given(spool, worker, data, tmp_path):
    whole, damaged = worker.seal(), Worker(data, "edge-1").seal()
    damage(damaged)
    copy = tmp_path / "copies" / "old" / whole.name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(whole.read_bytes())
    assert spool("verify", whole).exit_code == 0
    assert spool("verify", whole, damaged.parent).exit_code == 1
    assert "1 segment: 1 whole" in spool("verify", tmp_path / "copies").output
    assert spool("verify", tmp_path / "nothing").exit_code == 2


def test_verify_says_when_a_segment_is_of_a_later_release(spool, worker, monkeypatch):
    with monkeypatch.context() as future:
        future.setattr("waypost.spool.framing.VERSION", 2)
        worker.seal()
    checked = spool("verify")
    assert (checked.exit_code, "of a later release than this one: upgrade" in checked.output) == (1, True)


def test_verify_goes_on_after_a_file_that_the_disk_does_not_give_or_that_is_gone(spool, worker, monkeypatch):
    broken, gone = worker.seal(), worker.seal()
    worker.seal()
    read = type(broken).read_bytes

    def failing(path):
        if path == gone:
            raise FileNotFoundError(2, "No such file or directory", str(path))
        if path == broken:
            raise OSError(5, "Input/output error", str(path))
        return read(path)

    monkeypatch.setattr(type(broken), "read_bytes", failing)
    checked = spool("verify")
    assert checked.exit_code == 1
    assert "DAMAGED: it cannot be read (Input/output error)" in checked.output
    assert "3 segments: 1 whole, 1 damaged or not readable here, 1 taken away meanwhile." in checked.output


def test_status_and_verify_change_nothing_and_tell_nothing_about_a_reader(spool, worker):
    worker.stored()
    aside = worker.set_aside()
    left_open = worker.seal()
    left_open.rename(left_open.with_suffix(".open"))
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in worker.directory.iterdir()}
    told = "".join(spool(*words).output for words in (["status"], ["status", "--json"], ["verify"], ["replay"]))
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in worker.directory.iterdir()} == before
    assert aside.name in told
    for personal in ("2001:db8", "iPhone", "shop.example", "links.example", "fr,"):
        assert personal not in told


def test_replay_does_nothing_without_a_choice_but_say_what_there_is(spool, worker):
    worker.stored(1)
    worker.stored(2)
    worker.set_aside()
    before = worker.names()
    for options in ([], ["--stored", "--dry-run"], ["-n", "--quarantined"]):
        offered = spool("replay", *options)
        assert (offered.exit_code, worker.names()) == (0, before)
        assert "Nothing was changed." in offered.output
    assert "edge-0: 2 stored segments, 3 records, could be handed back\n" in spool("replay").output
    assert "edge-0: 1 quarantined segment, 3 records, could be handed back\n" in spool("replay").output


def test_replay_hands_back_what_was_chosen_and_the_account_stays_right(spool, worker):
    stored, aside = worker.stored(), worker.set_aside()
    done = spool("replay", "--stored")
    assert "edge-0: 1 stored segment, 3 records, handed back\n" in done.output
    assert worker.names() == sorted([f"{stored.stem}.3-0.replay", aside.name])
    spool("replay", "--quarantined")
    assert worker.names() == sorted([f"{stored.stem}.3-0.replay", aside.with_suffix(".replay").name])
    shown = spool("status")
    assert shown.exit_code == 0
    assert "5 stored + 0 spooled + 1 quarantined" in shown.output
    assert "edge-0: segments handed back and not read yet: 2." in shown.output
    again = spool("replay", "--stored", "--quarantined")
    assert (again.exit_code, again.output[:34]) == (0, "There is nothing to hand back. Sto")


def test_replay_of_one_worker_leaves_the_others_alone(spool, worker, data):
    worker.stored()
    other = Worker(data, "edge-1")
    other.stored()
    assert spool("replay", "--stored", "--worker", "edge-1").exit_code == 0
    assert [name[-5:] for name in worker.names() + other.names()] == [".done", "eplay"]
    unknown = spool("replay", "--stored", "--worker", "edge-7")
    assert (unknown.exit_code, "no worker edge-7 here, but: edge-0, edge-1" in unknown.output) == (1, True)


def test_replay_takes_ids_and_paths_of_segments(spool, worker, tmp_path, monkeypatch):
    first, second, third = worker.stored(), worker.set_aside(), worker.stored()
    monkeypatch.chdir(worker.directory)
    assert spool("replay", first.stem, second.name).exit_code == 0
    assert worker.names() == sorted([f"{first.stem}.3-0.replay", second.with_suffix(".replay").name, third.name])
    refusals = {
        first.stem: "is handed back already",
        worker.seal().name: "waits to be read already",
        "edge-0.nothing": "There is no segment edge-0.nothing in the spool",
    }
    copy = tmp_path / third.name
    copy.write_bytes(third.read_bytes())
    refusals[str(copy)] = "is not in the spool: copy it into its worker's directory first"
    for segment, why in refusals.items():
        refused = spool("replay", segment)
        assert (refused.exit_code, why in refused.output) == (1, True)
    assert spool("replay", "--stored", third.stem).exit_code == 2


@pytest.mark.parametrize("command", ["status", "verify", "replay"])
def test_a_data_directory_that_is_not_there_is_said_to_be(spool, data, command):
    refused = spool(command)
    assert (refused.exit_code, f"There is no data directory {data}. Name the one" in refused.output) == (1, True)
    data.mkdir()
    refused = spool(command)
    assert (refused.exit_code, f"{data} has no spool: no edge has run" in refused.output) == (1, True)


@contextmanager
def forbidden(directory):
    """What is in a directory is not for this user."""
    if os.geteuid():
        directory.chmod(0)
        yield
        directory.chmod(0o700)
    else:
        directory.chmod(0o700)
        os.seteuid(65534)  # nobody
        try:
            yield
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("words", [["status"], ["verify"], ["replay", "--stored"]], ids=" ".join)
@pytest.mark.parametrize("where", [".", "spool", "spool/edge-0"])
def test_a_user_who_may_not_look_is_told_who_may(spool, worker, data, words, where):
    worker.stored()
    before = worker.names()
    with forbidden(data / where):
        refused = spool(*words)
    assert refused.exit_code == 1
    assert "Permission denied. Clicks are personal data" in refused.output
    assert "sudo -u " in refused.output
    assert worker.names() == before


def test_it_needs_nothing_that_the_edge_does_not_have(worker, data):
    """No database and no store: an edge on a machine of its own has neither."""
    worker.stored()
    program = """
import sys
from waypost.cli.main import main
main(["spool", *sys.argv[1:]], standalone_mode=False)
packages = {name.partition(".")[0] for name in sys.modules}
ours = {name.split(".")[1] for name in sys.modules if name.startswith("waypost.")}
print(sorted(packages & {"sqlalchemy", "chdb", "clickhouse_connect", "fastapi"}), sorted(ours & {"db", "store"}))
"""
    for words in (["status"], ["verify"], ["replay", "--stored"]):
        command = [sys.executable, "-c", program, *words, "--data", str(data)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[] []"
