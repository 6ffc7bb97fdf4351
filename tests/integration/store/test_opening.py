"""Opening a store: the embedded one belongs to one process at a time, a server must answer."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from waypost.store import EventStore, StoreFailed, StoreInUse

HOLD = """
import sys, time
from pathlib import Path
from waypost.store import EventStore
store = EventStore.open("", Path(sys.argv[1]))
print("open", flush=True)
time.sleep(60)
"""


def hold(data, code=HOLD):
    return subprocess.Popen([sys.executable, "-c", code, data], stdout=subprocess.PIPE, text=True)


def test_a_store_open_elsewhere_is_refused_with_the_id_of_its_owner_and_free_once_that_is_killed(tmp_path):
    with hold(tmp_path) as owner:
        try:
            assert owner.stdout.readline() == "open\n"
            with pytest.raises(StoreInUse, match=f"id {owner.pid}") as caught:
                EventStore.open("", tmp_path)
            assert (caught.value.path, caught.value.owner) == (tmp_path / "store", str(owner.pid))
            scratch = tmp_path / "store.tmp" / "rows"
            scratch.write_text("a reader's address")
        finally:
            owner.kill()
    with hold(tmp_path, HOLD.replace("time.sleep(60)", "store.close()")) as next_owner:
        assert next_owner.stdout.readline() == "open\n"
        assert not scratch.exists(), "a killed process left what it was handing to the engine"
    assert next_owner.returncode == 0


def test_rows_on_their_way_to_the_engine_are_private_files_of_the_data_directory(store):
    directory = Path(tempfile.gettempdir())
    assert directory == Path(store._connection.writer.path).with_name("store.tmp")
    assert directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("scheme", ["clickhouse", "clickhouses"])
def test_a_server_that_does_not_answer_is_told_without_its_password(tmp_path, scheme):
    with pytest.raises(StoreFailed) as caught:
        EventStore.open(f"{scheme}://waypost:secret@127.0.0.1:9/events", tmp_path)
    assert "127.0.0.1" in str(caught.value)
    assert "secret" not in f"{caught.value} {caught.value.__cause__}"
