"""An insert that returned survives a power loss: what the kernel was asked to sync, seen by strace."""

import re
import subprocess
import sys

from tests.debian import require

INSERT = """
import os, sys
from pathlib import Path
from tests.unit.store.rows import hit, hit_row, send_id
from waypost.store import EventStore
store = EventStore.open("", Path(sys.argv[1]))
os.write(2, b"inserting\\n")
store.insert_hits([hit_row(hit(1, send_id()))])
os.write(2, b"inserted\\n")
store.close()
"""


def test_rows_their_part_and_its_name_are_synced_before_an_insert_returns(tmp_path):
    strace = [require("strace", "strace"), "-f", "-y", "--seccomp-bpf", "-o", tmp_path / "trace"]
    calls = "trace=fsync,fdatasync,rename,write"
    subprocess.run([*strace, "-e", calls, sys.executable, "-c", INSERT, tmp_path / "data"], check=True)
    during = (tmp_path / "trace").read_text().split('"inserting\\n"')[1].split('"inserted\\n"')[0]

    (renamed,) = re.finditer(r'rename\("[^"]*/(tmp_insert_\w+)/?", "([^"]*)/(\w+)/?"', during)
    scratch, table, part = renamed.groups()
    files = re.findall(rf"sync\(\d+<[^>]*/{scratch}/([\w.]+)>", during[: renamed.start()])
    directories = re.findall(r"sync\(\d+<([^>]*)>", during[renamed.end() :])

    assert set(files) >= {"data.bin", "data.cmrk4", "primary.cidx", "skp_idx.packed", "checksums.txt"}
    assert {path.rsplit("/", 1)[-1] for path in directories} == {part, table.rsplit("/", 1)[-1]}
