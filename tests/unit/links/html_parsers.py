"""Three HTML parsers that others wrote, each asked for the `href` of every `a` and `area`, decoded and stripped."""

import html5lib
import turbohtml
from selectolax.lexbor import LexborHTMLParser

from waypost.links.destination import ASCII_WHITESPACE

_HTML = "{http://www.w3.org/1999/xhtml}"
_LINKS = {f"{_HTML}a", f"{_HTML}area", "{http://www.w3.org/2000/svg}a", "{http://www.w3.org/1998/Math/MathML}a"}


def html5lib_hrefs(html):
    """In tree order: a link that the parser cloned or moved stands there again, or elsewhere than in the source."""
    tree = html5lib.parse(html, scripting=False)
    return [
        element.get("href").strip(ASCII_WHITESPACE)
        for element in tree.iter()
        if element.tag in _LINKS and element.get("href") is not None
    ]


def lexbor_hrefs(html):
    """In tree order, as html5lib's. Its selectors enter no template, and know no namespace: an SVG `area` is one."""
    nodes = LexborHTMLParser(html).css("a, area")
    return [(node.attributes["href"] or "").strip(ASCII_WHITESPACE) for node in nodes if "href" in node.attributes]


def turbohtml_hrefs(html):
    """In source order, each tag once: clones have no place in the source."""
    elements = turbohtml.parse(html, source_locations=True).find_all(["a", "area"])
    links = [
        (element.source_location.start_tag.start_offset, (element.attrs["href"] or "").strip(ASCII_WHITESPACE))
        for element in elements
        if element.source_location is not None
        and "href" in element.attrs
        and (element.tag == "a" or element.namespace is turbohtml.Namespace.HTML)
    ]
    return [href for _, href in sorted(links)]
