"""What a file's name says of a segment."""

from pathlib import Path
from uuid import UUID

import pytest

from waypost.spool.names import (
    DONE_SUFFIX,
    QUARANTINE_SUFFIX,
    REPLAY_SUFFIX,
    Entry,
    entry_of,
    renamed,
    segment_id,
    segment_uuid,
)

ID = "edge-0.019cb7d4-0d59-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("name", "expected_id", "entry"),
    [
        (f"{ID}.seg", ID, Entry()),
        (f"{ID}.open", ID, Entry()),
        (f"{ID}.done", ID, Entry()),
        (f"{ID}.bad", ID, Entry()),
        (f"{ID}.5-2.bad", ID, Entry(5, 2)),
        (f"{ID}.0-0.replay", ID, Entry()),
        ("notes.bad", "notes", Entry()),
        ("notes.1-2.bad", "notes", Entry(1, 2)),
        ("notes.1-2-3.bad", "notes.1-2-3", Entry()),
    ],
)
def test_a_name_says_which_segment_it_is_and_what_it_is_counted_as(name, expected_id, entry) -> None:
    assert (segment_id(Path(name)), entry_of(Path(name))) == (expected_id, entry)


def test_a_segment_that_is_renamed_stays_the_same_segment() -> None:
    path = Path("spool/edge-0") / f"{ID}.seg"
    aside = renamed(path, QUARANTINE_SUFFIX, Entry(5, 2))
    assert aside == path.with_name(f"{ID}.5-2.bad")
    assert renamed(aside, REPLAY_SUFFIX, entry_of(aside)).name == f"{ID}.5-2.replay"
    assert renamed(aside, DONE_SUFFIX).name == f"{ID}.done"


def test_a_file_without_a_uuid_in_its_name_has_none() -> None:
    assert segment_uuid(Path(f"{ID}.5-2.bad")) == UUID(ID.partition(".")[2])
    assert segment_uuid(Path("notes.1-2.bad")) == UUID(int=0)
