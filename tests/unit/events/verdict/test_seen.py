"""A link to unsubscribe is known by words in its address, in any case and any script."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waypost.events.verdict import seen
from waypost.events.verdict.seen import unsubscribes


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("https://shop.example/unsubscribe?id=1", True),
        ("https://shop.example/UnSubscribe", True),
        ("https://shop.example/OPT_OUT", True),
        ("https://shop.example/DÉSABONNER", True),
        ("https://shop.example/ОТПИСАТЬСЯ", True),
        ("https://shop.example/un\u017fub", True),  # LATIN SMALL LETTER LONG S: an s in another case
        ("https://shop.example/options/out", False),
        ("https://shop.example/products/7?ref=letter", False),
        ("", False),
    ],
)
def test_a_link_to_unsubscribe_is_told_by_its_words(destination, expected):
    assert unsubscribes(destination) is expected


PARTS = ["un", "UN", "sub", "SuB", "\u017fub", "opt", "-", "_", "OUT", "out", "d", "\u0130scri", "iscri", "отп", "иС"]


@given(st.lists(st.sampled_from(PARTS), max_size=5).map("".join))
def test_the_quick_way_for_ascii_finds_what_ignoring_the_case_finds(destination):
    in_full = re.search(seen._UNSUBSCRIBE, destination, re.IGNORECASE) is not None
    assert unsubscribes(destination) is in_full
