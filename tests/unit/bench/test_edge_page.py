"""docs/reliability.md shows the figures that the last run of `make bench-edge` left."""

import json

from bench.edge import RESULTS
from bench.edge_page import MARKS, PAGE, page


def test_the_page_shows_the_results_there_are():
    text = PAGE.read_text()
    assert all(mark in text for mark in MARKS)
    assert text == page(text, json.loads((RESULTS / "edge.json").read_text()))
