"""C1, agreement with HTML5 parsers on every link of real email templates."""

from pathlib import Path

import html5lib
import turbohtml
from selectolax.lexbor import LexborHTMLParser

from tests.conformance.reversal import assert_reversible
from waypost.links import Part, Policy, plan
from waypost.links.destination import ASCII_WHITESPACE

FILES = 166


def html5lib_hrefs(html: str) -> list[str]:
    tree = html5lib.parse(html, namespaceHTMLElements=False)
    return [element.get("href") for element in tree.iter() if element.tag in ("a", "area") and "href" in element.attrib]


def lexbor_hrefs(html: str) -> list[str]:
    links = LexborHTMLParser(html).css("a[href], area[href]")
    return [link.attributes["href"] or "" for link in links]


def turbohtml_hrefs(html: str) -> list[str]:
    links = turbohtml.parse(html, source_locations=True).find_all(["a", "area"])
    return [link.attrs["href"] or "" for link in links if "href" in link.attrs and link.source_location]


def test_every_link_of_the_corpus_is_found_as_three_parsers_find_it_and_put_back_byte_for_byte(shared: Path) -> None:
    files = sorted((shared / "corpus").rglob("*.html"))
    found = tracked = 0
    for path in files:
        html = path.read_bytes().decode("utf-8")
        p = plan(html, Policy())
        destinations = [link.destination for link in p.links if link.part is Part.HTML]
        for parser in (html5lib_hrefs, lexbor_hrefs, turbohtml_hrefs):
            expected = [href.strip(ASCII_WHITESPACE) for href in parser(html)]
            assert destinations == expected, f"{parser.__name__} on {path.name}"
        assert_reversible(html, p)
        found += len(p.links)
        tracked += len(p.tracked)
    assert len(files) == FILES
    print(f"\n{len(files)} of {FILES} corpus files exact and reversible: {found} links, {tracked} of them trackable")
