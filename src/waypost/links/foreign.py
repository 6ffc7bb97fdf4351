"""Which elements are open, as far as SVG and MathML in a message make that matter to a tokenizer.

In foreign content `<style>`, `<title>` and their kind hold elements instead of text, and `<![CDATA[` is real
(HTML standard, 13.2.6.5). Whether a tag stands in foreign content depends on the stack of open elements, so a message
with `<svg>` or `<math>` is followed with one. It is the standard's stack, but for some of what comes of tags that are
nested wrongly around SVG or MathML:

- formatting elements that were closed with a block around them are not opened again (13.2.4.3), so that their end tags
  do not leave foreign content where a parser does;
- `noscript` in `head`, `select`, `template` and `frameset` have no insertion modes of their own, and every message is
  taken for one in no-quirks mode, where a table ends a paragraph;
- the stack ends at MAX_DEPTH.

A link that is read differently for it stands in raw text or CDATA for one of the two: it is found where no reader sees
it, or is left as it was written.
"""

from collections.abc import Mapping
from enum import StrEnum

from waypost.links.charrefs import decode_attribute

MAX_DEPTH = 256
"""Deeper elements are not followed. It keeps time linear: a tag may look at all that are open. Chromium stops at 512
(kMaximumHTMLParserDOMTreeDepth); 20 tables in one another, which is a lot for a mail, make 80."""


class Namespace(StrEnum):
    """The namespaces an HTML parser knows."""

    HTML = "html"
    SVG = "svg"
    MATHML = "math"


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Void elements; those that every document has, however many tags it has for them; and `image`, which becomes `img`.
_NEVER_OPEN = _names(
    "area base basefont bgsound body br col embed frame frameset head hr html image img input keygen link meta param "
    "source track wbr"
)

# 13.2.6.5: start tags that leave foreign content.
_BREAKOUT = _names(
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    "nobr ol p pre ruby s small span strong strike sub sup table tt u ul var"
)
_FONT_BREAKOUT = _names("color face size")


def _foreign(namespace: Namespace, names: str) -> frozenset[str]:
    # The kind of an element: its name alone in HTML, its namespace before it elsewhere. No name holds a space.
    return frozenset(f"{namespace} {name}" for name in names.split())


# 13.2.6: HTML and MathML text integration points, in which start tags are HTML again.
_MATHML_TEXT_INTEGRATION = _foreign(Namespace.MATHML, "mi mo mn ms mtext")
_MATHML_KEPT = _names("mglyph malignmark")  # but for these start tags, in a MathML text integration point
_ANNOTATION = "math annotation-xml"
_HTML_ANNOTATION = "math annotation-xml html"  # one whose encoding says that it holds HTML
_HTML_ENCODINGS = _names("text/html application/xhtml+xml")
_INTEGRATION = _MATHML_TEXT_INTEGRATION | _foreign(Namespace.SVG, "foreignobject desc title") | {_HTML_ANNOTATION}

# 13.2.4.2: the special category, and the scopes.
_HEADINGS = _names("h1 h2 h3 h4 h5 h6")
_SPECIAL_FOREIGN = _INTEGRATION | {_ANNOTATION}
_SPECIAL_HTML = _HEADINGS | _names(
    "address applet area article aside base basefont bgsound blockquote body br button caption center col colgroup dd "
    "details dir div dl dt embed fieldset figcaption figure footer form frame frameset head header hgroup hr html "
    "iframe img input keygen li link listing main marquee menu meta nav noembed noframes noscript object ol p param "
    "plaintext pre script search section select source style summary table tbody td template textarea tfoot th thead "
    "title tr track ul wbr xmp"
)
_SPECIAL = _SPECIAL_HTML | _SPECIAL_FOREIGN
_TABLE_CONTEXT = _names("table")
_NOT_BETWEEN_CELLS = _names("caption html td template th")
_TABLE_SCOPE = _names("html table template")
_SCOPE = _TABLE_SCOPE | _SPECIAL_FOREIGN | _names("applet caption td th marquee object select")
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
    "table": (_TABLE_CONTEXT, _NOT_BETWEEN_CELLS),
}
# 13.2.6.4.9 to 13.2.6.4.15: start tags that only a table holds, and what stays open: the nearest of these, at the top.
_TABLE_BODY_CONTEXT = _TABLE_CONTEXT | _names("tbody tfoot thead")
_TABLE_PARTS = {
    **dict.fromkeys(("caption", "colgroup", "tbody", "tfoot", "thead"), _TABLE_CONTEXT),
    "col": _TABLE_CONTEXT | {"colgroup"},
    "tr": _TABLE_BODY_CONTEXT,
    **dict.fromkeys(("td", "th"), _TABLE_BODY_CONTEXT | {"tr"}),
}
# What such a tag opens first, by what stayed open.
_IMPLIED = {
    ("table", "col"): ("colgroup",),
    ("table", "tr"): ("tbody",),
    **{("table", cell): ("tbody", "tr") for cell in ("td", "th")},
    **{(body, cell): ("tr",) for body in ("tbody", "tfoot", "thead") for cell in ("td", "th")},
}

# End tags that close an element of their name in scope, and all in it. Any other stops at the first special element.
_SCOPED_END = _names(
    "address applet article aside blockquote button center details dialog dir div dl fieldset figcaption figure footer "
    "header hgroup listing main marquee menu nav object ol pre search section select summary ul dd dt"
)
_TABLE_END = _names("table tbody thead tfoot tr td th caption colgroup")

_FORM = _names("form")
# 13.2.4.3 and 13.2.6.4.7: formatting elements, and how often the adoption agency algorithm goes round for an end tag.
_FORMATTING = _names("a b big code em font i nobr s small strike strong tt u")
_ADOPTIONS = 8
_CLOSES_ITSELF = _names("a nobr")


class OpenElements:
    """The stack of open elements of a message (13.2.4.2), fed with its tags in source order."""

    def __init__(self) -> None:
        self._stack: list[str] = []  # their kinds
        self._in_form = False

    @property
    def in_foreign_content(self) -> bool:
        """Whether the adjusted current node is not an HTML element: `<![CDATA[` is real there."""
        return bool(self._stack) and " " in self._stack[-1]

    def start(self, name: str, *, self_closing: bool, attributes: Mapping[str, str]) -> Namespace:
        """A start tag: its lower-case name and its attributes as written. The namespace that its element is in."""
        if self.in_foreign_content and not self._takes_html(name):
            if name in _BREAKOUT or (name == "font" and not _FONT_BREAKOUT.isdisjoint(attributes)):
                self._leave_foreign_content()
            else:
                namespace = Namespace(self._stack[-1].partition(" ")[0])
                if not self_closing:
                    self._push(_kind(namespace, name, attributes))
                return namespace
        return self._start_html(name, self_closing=self_closing)

    def end(self, name: str) -> None:
        """An end tag, by its lower-case name."""
        if self.in_foreign_content:
            if name in ("br", "p"):
                self._leave_foreign_content()
            elif self._end_foreign(name):
                return
        self._end_html(name)

    def _takes_html(self, name: str) -> bool:
        kind = self._stack[-1]
        if kind in _MATHML_TEXT_INTEGRATION:
            return name not in _MATHML_KEPT
        return kind in _INTEGRATION or (kind == _ANNOTATION and name == "svg")

    def _leave_foreign_content(self) -> None:
        while self.in_foreign_content and self._stack[-1] not in _INTEGRATION:
            self._stack.pop()

    def _end_foreign(self, name: str) -> bool:
        """Close the nearest element of this name that no HTML element stands below. False where there is none."""
        kinds = {f"{Namespace.SVG} {name}", f"{Namespace.MATHML} {name}", f"{Namespace.MATHML} {name} html"}
        depth = len(self._stack)
        for kind in reversed(self._stack):
            depth -= 1
            if kind in kinds:
                del self._stack[depth:]
                return True
            if " " not in kind:
                break
        return False

    def _start_html(self, name: str, *, self_closing: bool) -> Namespace:
        if self._stack and self._stack[-1] == "colgroup" and name not in ("col", "template"):
            self._stack.pop()
        if name in ("svg", "math"):
            namespace = Namespace.SVG if name == "svg" else Namespace.MATHML
            if not self_closing:
                self._push(f"{namespace} {name}")
            return namespace
        if name in _CLOSES_P:
            self._close(frozenset({"p"}), _BUTTON_SCOPE)
        if name in _CLOSES:
            self._close(*_CLOSES[name])
        elif name in _CLOSES_ITSELF:
            self._adopt(frozenset({name}))
        elif name in _TABLE_PARTS and not self._make_room_in_table(name):
            return Namespace.HTML  # ignored outside a table
        elif name == "form" and not self._start_form():
            return Namespace.HTML
        if name not in _NEVER_OPEN:
            self._push(name)
        return Namespace.HTML

    def _make_room_in_table(self, name: str) -> bool:
        """Close what cannot hold this part of a table, and open what it implies. False where no table is open."""
        depth = self._find(_TABLE_PARTS[name], _TABLE_SCOPE)
        if depth is None:
            return False
        del self._stack[depth + 1 :]
        for implied in _IMPLIED.get((self._stack[depth], name), ()):
            self._push(implied)
        return True

    def _start_form(self) -> bool:
        """Whether a form is opened: not in another one, and in a table it is over at once (13.2.6.4.9)."""
        starts = not self._in_form
        self._in_form = True
        return starts and self._find(_TABLE_CONTEXT, _NOT_BETWEEN_CELLS) is None

    def _end_html(self, name: str) -> None:
        names = frozenset({name})
        if name == "p":
            self._close(names, _BUTTON_SCOPE)
        elif name == "li":
            self._close(names, _LIST_SCOPE)
        elif name == "form":
            self._end_form()
        elif name in _HEADINGS:
            self._close(_HEADINGS, _SCOPE)
        elif name in _TABLE_END:
            self._close(names, _TABLE_SCOPE)
        elif name in _SCOPED_END:
            self._close(names, _SCOPE)
        elif name in _FORMATTING and name in self._stack:
            self._adopt(names)
        else:
            self._close(names, _SPECIAL)

    def _end_form(self) -> None:
        """The one end tag that leaves open what its element holds (13.2.6.4.7)."""
        depth = self._find(_FORM, _SCOPE)
        if self._in_form and depth is not None:
            del self._stack[depth]
        self._in_form = False

    def _find(self, names: frozenset[str], stops: frozenset[str]) -> int | None:
        """The depth of the nearest open element of these, before one that stops the search."""
        if names.isdisjoint(self._stack):
            return None  # as is mostly the case; said faster than the loop would
        depth = len(self._stack)
        for kind in reversed(self._stack):
            depth -= 1
            if kind in names:
                return depth
            if kind in stops:
                return None
        return None

    def _close(self, names: frozenset[str], stops: frozenset[str]) -> None:
        depth = self._find(names, stops)
        if depth is not None:
            del self._stack[depth:]

    def _adopt(self, names: frozenset[str]) -> None:
        """What the adoption agency algorithm leaves of the stack.

        Each round takes the formatting element below the next special one, and what is neither out from between them.
        The last round finds no special element below it, and closes it.
        """
        depth = self._find(names, _SCOPE)
        if depth is None:
            return
        below = self._stack[depth + 1 :]
        blocks = [number for number, kind in enumerate(below) if kind in _SPECIAL][:_ADOPTIONS]
        passed = blocks[-1] + 1 if blocks else 0
        kept = [kind for kind in below[:passed] if kind in _SPECIAL or kind in _FORMATTING]
        left = [self._stack[depth], *below[passed:]] if len(blocks) == _ADOPTIONS else []
        self._stack[depth:] = kept + left

    def _push(self, kind: str) -> None:
        if len(self._stack) < MAX_DEPTH:
            self._stack.append(kind)


def _kind(namespace: Namespace, name: str, attributes: Mapping[str, str]) -> str:
    kind = f"{namespace} {name}"
    if kind == _ANNOTATION and decode_attribute(attributes.get("encoding", "")).lower() in _HTML_ENCODINGS:
        return _HTML_ANNOTATION
    return kind
