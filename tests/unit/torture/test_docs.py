"""docs/reliability.md shows the figures that the runs left."""

from torture.__main__ import PAGE, PAGE_MARKS, page


def test_the_page_shows_the_results_there_are():
    text = PAGE.read_text()
    assert all(mark in text for mark in PAGE_MARKS)
    assert text == page(text)
