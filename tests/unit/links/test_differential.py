"""C1, agreement with HTML parsers: html5lib, lexbor and turbohtml find the links that we find.

The three differ among themselves where the standard changed (select, template) and where one of them errs; a document
on which they do not agree proves nothing and is passed over. That most remain is tested too.
"""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from tests.unit.links import html_pieces as pieces
from tests.unit.links.html_parsers import html5lib_hrefs, lexbor_hrefs, turbohtml_hrefs
from tests.unit.links.html_vectors import CASES

from waypost.links import Part, Policy, plan

MESSAGES = sorted((Path(__file__).parents[3] / "examples" / "messages").glob("*.html"))
DISPUTED = {
    "foreign: area in SVG is no area element",  # lexbor's selectors know no namespace
    "elements: the content of template counts",  # nor do they enter a template
    "foreign: the end tag of p or br leaves SVG",  # html5lib is from before the standard said so
}


def hrefs(html):
    return [link.destination for link in plan(html, Policy()).links if link.part is Part.HTML]


def agreed_hrefs(html):
    """What all three find, in source order; None when they do not agree.

    html5lib and lexbor repeat a link that they clone and move it when its place is wrong, so order and number are
    turbohtml's, which knows where in the source an element stands.
    """
    in_source_order = turbohtml_hrefs(html)
    agree = set(html5lib_hrefs(html)) == set(lexbor_hrefs(html)) == set(in_source_order)
    return in_source_order if agree else None


@pytest.mark.parametrize("name", [name for name in CASES if name not in DISPUTED])
def test_every_vector_has_the_links_that_html_parsers_find(name):
    html = CASES[name]["html"]
    assert hrefs(html) == agreed_hrefs(html)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda path: path.stem)
def test_every_example_message_has_the_links_that_html_parsers_find(message):
    html = message.read_bytes().decode()
    assert hrefs(html) == agreed_hrefs(html)
    assert hrefs(html)


DOCUMENTS = {
    "text and comments": pieces.documents(*pieces.TEXT),
    "raw text": pieces.documents(*pieces.RAW_TEXT, *pieces.TEXT),
    "blocks and tables": pieces.documents(*pieces.BLOCKS, *pieces.TABLES, *pieces.RAW_TEXT),
    "SVG and MathML": pieces.documents(*pieces.FOREIGN, *pieces.RAW_TEXT, *pieces.TEXT),
    "SVG and MathML among blocks": pieces.documents(*pieces.FOREIGN, *pieces.BLOCKS, "<style>", "</style>"),
    "SVG and MathML in tables": pieces.documents(*pieces.FOREIGN, *pieces.TABLES, "<p>", "</p>", "<style>", "</style>"),
    "select and template": pieces.documents(*pieces.SELECTS, *pieces.BLOCKS),
}


@pytest.mark.parametrize("documents", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_of_pieces_has_the_links_that_html_parsers_find(documents):
    proved = Counter()

    @settings(max_examples=300)
    @given(documents)
    def compare(html):
        expected = agreed_hrefs(html)
        proved[expected is not None] += 1
        if expected is not None:
            assert hrefs(html) == expected

    compare()
    assert proved[True] > proved[False]
