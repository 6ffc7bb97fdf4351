"""Which elements are open, as far as SVG and MathML in a message make that matter to a tokenizer.

In foreign content `<style>`, `<title>` and their kind hold elements instead of text, and `<![CDATA[` is real
(HTML standard, 13.2.6.5). Whether a tag stands in foreign content depends on the stack of open elements, so a message
with `<svg>` or `<math>` is followed with one. It is the standard's stack without what cannot change that answer:
formatting elements are not reconstructed, and nothing is foster parented.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple

from waypost.links.charrefs import decode_attribute

MAX_DEPTH = 512
"""Deeper elements are not followed: Chromium's limit (kMaximumHTMLParserDOMTreeDepth). It keeps time linear."""


class Namespace(Enum):
    """The namespaces an HTML parser knows."""

    HTML = auto()
    SVG = auto()
    MATHML = auto()


class _Open(NamedTuple):
    namespace: Namespace
    name: str
    takes_html: bool = False
    """An HTML or MathML text integration point (13.2.6): start tags inside are HTML again."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VOID = _names(
    "area base basefont bgsound br col embed frame hr image img input keygen link meta param source track wbr"
)

# 13.2.6.5: start tags that leave foreign content.
_BREAKOUT = _names(
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    "nobr ol p pre ruby s small span strong strike sub sup table tt u ul var"
)
_FONT_BREAKOUT = _names("color face size")

_SVG_INTEGRATION = _names("foreignobject desc title")
_MATHML_TEXT_INTEGRATION = _names("mi mo mn ms mtext")
_MATHML_KEPT = _names("mglyph malignmark")  # start tags that stay MathML in a MathML text integration point
_HTML_ENCODINGS = _names("text/html application/xhtml+xml")

# 13.2.4.2: the special category, and the scopes.
_HEADINGS = _names("h1 h2 h3 h4 h5 h6")
_SPECIAL = _HEADINGS | _names(
    "address applet area article aside base basefont bgsound blockquote body br button caption center col colgroup dd "
    "details dir div dl dt embed fieldset figcaption figure footer form frame frameset head header hgroup hr html "
    "iframe img input keygen li link listing main marquee menu meta nav noembed noframes noscript object ol p param "
    "plaintext pre script search section select source style summary table tbody td template textarea tfoot th thead "
    "title tr track ul wbr xmp"
)
_SPECIAL_FOREIGN = _SVG_INTEGRATION | _MATHML_TEXT_INTEGRATION | {"annotation-xml"}
_TABLE_SCOPE = _names("html table template")
_SCOPE = _TABLE_SCOPE | _names("applet caption td th marquee object select")
_BUTTON_SCOPE = _SCOPE | {"button"}
_LIST_SCOPE = _SCOPE | {"ol", "ul"}

# 13.2.6.4.7: start tags before which an open <p> ends.
_CLOSES_P = _HEADINGS | _names(
    "address article aside blockquote center details dialog dir div dl fieldset figcaption figure footer header hgroup "
    "main menu nav ol p search section summary ul pre listing form li dd dt plaintext table hr xmp"
)
# Start tags before which elements of their own kind end: which, and what stops the search.
_CLOSES = {
    "li": (_names("li"), _LIST_SCOPE | (_SPECIAL - _names("address div p"))),
    "dd": (_names("dd dt"), _SCOPE | (_SPECIAL - _names("address div p"))),
    "dt": (_names("dd dt"), _SCOPE | (_SPECIAL - _names("address div p"))),
    "option": (_names("option"), _SPECIAL),
    "optgroup": (_names("optgroup option"), _SPECIAL),
    "button": (_names("button"), _SCOPE),
    "caption": (_names("caption colgroup tbody thead tfoot"), _TABLE_SCOPE),
    "colgroup": (_names("caption colgroup tbody thead tfoot"), _TABLE_SCOPE),
    "tbody": (_names("caption colgroup tbody thead tfoot"), _TABLE_SCOPE),
    "thead": (_names("caption colgroup tbody thead tfoot"), _TABLE_SCOPE),
    "tfoot": (_names("caption colgroup tbody thead tfoot"), _TABLE_SCOPE),
    "tr": (_names("tr caption colgroup"), _TABLE_SCOPE),
    "td": (_names("td th"), _TABLE_SCOPE),
    "th": (_names("td th"), _TABLE_SCOPE),
}
_CELL_PARTS = _names("caption colgroup tbody thead tfoot tr td th")

# End tags that close an element of their name in scope, and all in it. Any other stops at the first special element.
_SCOPED_END = _names(
    "address applet article aside blockquote button center details dialog dir div dl fieldset figcaption figure footer "
    "form header hgroup listing main marquee menu nav object ol pre search section select summary ul dd dt"
)
_TABLE_END = _names("table tbody thead tfoot tr td th caption colgroup")


class OpenElements:
    """The stack of open elements of a message (13.2.4.2), fed with its tags in source order."""

    def __init__(self) -> None:
        self._stack: list[_Open] = []

    @property
    def in_foreign_content(self) -> bool:
        """Whether the adjusted current node is not an HTML element: `<![CDATA[` is real there."""
        return bool(self._stack) and self._stack[-1].namespace is not Namespace.HTML

    def start(self, name: str, *, self_closing: bool, attributes: Mapping[str, str]) -> Namespace:
        """A start tag: its lower-case name and its attributes as written. The namespace that its element is in."""
        if self._stack and not self._takes_html(name):
            if name in _BREAKOUT or (name == "font" and not _FONT_BREAKOUT.isdisjoint(attributes)):
                self._leave_foreign_content()
            else:
                namespace = self._stack[-1].namespace
                if not self_closing:
                    self._push(_Open(namespace, name, _is_integration_point(namespace, name, attributes)))
                return namespace
        return self._start_html(name, self_closing=self_closing)

    def end(self, name: str) -> None:
        """An end tag, by its lower-case name."""
        if self.in_foreign_content:
            if name in ("br", "p"):
                self._leave_foreign_content()
            else:
                for depth in range(len(self._stack) - 1, -1, -1):
                    node = self._stack[depth]
                    if node.namespace is Namespace.HTML:
                        break
                    if node.name == name:
                        del self._stack[depth:]
                        return
        self._end_html(name)

    def _takes_html(self, name: str) -> bool:
        node = self._stack[-1]
        if node.namespace is Namespace.HTML:
            return True
        if node.namespace is Namespace.MATHML and node.name == "annotation-xml" and name == "svg":
            return True
        kept = node.namespace is Namespace.MATHML and node.name in _MATHML_TEXT_INTEGRATION and name in _MATHML_KEPT
        return node.takes_html and not kept

    def _leave_foreign_content(self) -> None:
        while self.in_foreign_content and not self._stack[-1].takes_html:
            self._stack.pop()

    def _start_html(self, name: str, *, self_closing: bool) -> Namespace:
        if name in ("svg", "math"):
            namespace = Namespace.SVG if name == "svg" else Namespace.MATHML
            if not self_closing:
                self._push(_Open(namespace, name))
            return namespace
        if name in _CLOSES_P:
            self._close(frozenset({"p"}), _BUTTON_SCOPE)
        if name in _CELL_PARTS and not self._is_open(frozenset({"table"}), _TABLE_SCOPE - {"table"}):
            return Namespace.HTML  # ignored outside a table
        if name in _CLOSES:
            self._close(*_CLOSES[name])
        if name not in _VOID:
            self._push(_Open(Namespace.HTML, name))
        return Namespace.HTML

    def _end_html(self, name: str) -> None:
        names = frozenset({name})
        if name == "p":
            self._close(names, _BUTTON_SCOPE)
        elif name == "li":
            self._close(names, _LIST_SCOPE)
        elif name in _HEADINGS:
            self._close(_HEADINGS, _SCOPE)
        elif name in _TABLE_END:
            self._close(names, _TABLE_SCOPE - names, foreign_stops=False)
        elif name in _SCOPED_END:
            self._close(names, _SCOPE - names)
        else:
            self._close(names, _SPECIAL - names)

    def _find(self, names: frozenset[str], stops: frozenset[str], *, foreign_stops: bool = True) -> int | None:
        for depth in range(len(self._stack) - 1, -1, -1):
            node = self._stack[depth]
            if node.namespace is not Namespace.HTML:
                if foreign_stops and node.name in _SPECIAL_FOREIGN:
                    return None
            elif node.name in names:
                return depth
            elif node.name in stops:
                return None
        return None

    def _is_open(self, names: frozenset[str], stops: frozenset[str]) -> bool:
        return self._find(names, stops, foreign_stops=False) is not None

    def _close(self, names: frozenset[str], stops: frozenset[str], *, foreign_stops: bool = True) -> None:
        depth = self._find(names, stops, foreign_stops=foreign_stops)
        if depth is not None:
            del self._stack[depth:]

    def _push(self, element: _Open) -> None:
        if len(self._stack) < MAX_DEPTH:
            self._stack.append(element)


def _is_integration_point(namespace: Namespace, name: str, attributes: Mapping[str, str]) -> bool:
    if namespace is Namespace.SVG:
        return name in _SVG_INTEGRATION
    if name == "annotation-xml":
        return decode_attribute(attributes.get("encoding", "")).lower() in _HTML_ENCODINGS
    return name in _MATHML_TEXT_INTEGRATION
