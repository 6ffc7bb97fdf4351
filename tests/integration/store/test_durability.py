"""An insert, or an update of verdicts, that returned survives a power loss: what was synced, seen by strace."""

import re
import subprocess
import sys

import pytest
from tests.debian import require

WRITES = """
import os, sys
from pathlib import Path
from tests.unit.store.rows import PERSON, hit, hit_row, send_id
from waypost.store import EventStore
from waypost.store.verdicts import Judged
store = EventStore.open("", Path(sys.argv[1]))
click = hit(1, send_id())
os.write(2, b"insert begins\\n")
store.insert_hits([hit_row(click)])
os.write(2, b"insert ends\\n")
os.write(2, b"update begins\\n")
store.verdicts.write([Judged(1, click.send_id, click.event_id, click.occurred_at, PERSON)])
os.write(2, b"update ends\\n")
store.close()
"""
FILES = {
    "insert": {"data.bin", "data.cmrk4", "primary.cidx", "skp_idx.packed", "checksums.txt"},
    "update": {"data.bin", "data.cmrk4", "primary.cidx", "source_parts.dat", "checksums.txt"},
}


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    """System calls of one insert and one update."""
    home = tmp_path_factory.mktemp("durability")
    strace = [require("strace", "strace"), "-f", "-y", "--seccomp-bpf", "-o", home / "trace"]
    calls = "trace=fsync,fdatasync,rename,write"
    subprocess.run([*strace, "-e", calls, sys.executable, "-c", WRITES, home / "data"], check=True)
    return (home / "trace").read_text()


@pytest.mark.parametrize("write", FILES)
def test_rows_their_part_and_its_name_are_synced_before_a_write_returns(trace, write):
    during = trace.split(f'"{write} begins\\n"')[1].split(f'"{write} ends\\n"')[0]

    (renamed,) = re.finditer(r'rename\("[^"]*/(tmp_insert_[\w-]+)/?", "([^"]*)/([\w-]+)/?"', during)
    scratch, table, part = renamed.groups()
    files = re.findall(rf"sync\(\d+<[^>]*/{scratch}/([\w.]+)>", during[: renamed.start()])
    directories = re.findall(r"sync\(\d+<([^>]*)>", during[renamed.end() :])

    assert set(files) >= FILES[write]
    assert {path.rsplit("/", 1)[-1] for path in directories} == {part, table.rsplit("/", 1)[-1]}


REWRITE = """
import os, sys, time
from pathlib import Path
from tests.unit.store.rows import LONDON, hit, hit_row, send_id
from waypost.events.location import UNKNOWN
from waypost.store import EventStore
from waypost.store.columns import location_values
from waypost.store.derived import LOCATION
from waypost.store.history import Choice
store = EventStore.open("", Path(sys.argv[1]))
store.insert_hits([hit_row(hit(1, send_id()), location=UNKNOWN, unenriched=("location",))])
choice = Choice(LOCATION, None)
[month] = store.history.months(choice)
found = [(each.key, *location_values(LONDON)) for each in store.history.inputs(choice, month.partition, 0, 1)]
os.write(2, b"rewriting\\n")
store.history.rewrite(choice, month.partition, found)
while store.history.going_on() is not None:
    time.sleep(0.01)
os.write(2, b"rewritten\\n")
assert not store.history.months(choice)
store.close()
"""


def test_a_rewritten_part_is_synced_before_it_takes_the_place_of_the_one_before(tmp_path):
    strace = [require("strace", "strace"), "-f", "-y", "--seccomp-bpf", "-o", tmp_path / "trace"]
    calls = "trace=fsync,fdatasync,rename,write"
    subprocess.run([*strace, "-e", calls, sys.executable, "-c", REWRITE, tmp_path / "data"], check=True)
    during = (tmp_path / "trace").read_text().split('"rewriting\\n"')[1].split('"rewritten\\n"')[0]

    (renamed,) = re.finditer(r'rename\("[^"]*/(tmp_mut_\w+)/?", "([^"]*)/(\w+)/?"', during)
    scratch = renamed.group(1)
    files = re.findall(rf"sync\(\d+<[^>]*/{scratch}/([\w.]+)>", during[: renamed.start()])
    assert set(files) >= {"data.bin", "data.cmrk4", "checksums.txt"}
