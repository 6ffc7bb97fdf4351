from pathlib import Path

import pytest

from waypost.links.size import GMAIL_CLIPS_AT_BYTES, Size, measure
from waypost.mime.transfer import transfer

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "messages").glob("*.html"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_encoded_size_is_that_of_the_part_as_it_is_sent_to_a_hundredth(path):
    content = path.read_bytes()
    size = measure(content.decode())
    assert size.content_bytes == len(content)
    assert size.encoded_bytes == pytest.approx(len(transfer(content).body), rel=0.01)


@pytest.mark.parametrize(
    ("encoded_bytes", "clipped"), [(GMAIL_CLIPS_AT_BYTES, False), (GMAIL_CLIPS_AT_BYTES + 1, True)]
)
def test_gmail_clips_what_is_larger_than_102400_bytes(encoded_bytes, clipped):
    assert Size(1, encoded_bytes).clipped is clipped


def test_an_empty_part_has_no_size():
    assert measure("") == Size(0, 0)


def test_a_lone_surrogate_does_not_stop_the_measuring():
    assert measure("\ud800").content_bytes == 3
