"""Finding the links of an HTML message, and where their values stand, as an HTML parser with scripting off sees them.

A tokenizer (HTML standard, 13.2.5) without a tree: one regular expression passes over everything that holds no
link, in C, and stops only where something has to be decided. Its alternatives are possessive, so nothing is read
twice and time is linear in the input. What a tokenizer alone cannot know, because it depends on the tree (whether
`<title>` or `<![CDATA[` stands in SVG or MathML), is in `foreign`.

Offsets are indexes into the str that was given. Nothing is decoded here.
"""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from string import ascii_lowercase
from typing import NamedTuple

from waypost.links.charrefs import decode_text
from waypost.links.foreign import Namespace, OpenElements
from waypost.links.repetition import any_number

_SPACE = r"[\t\n\f\r ]"
_NAME_END = r"(?=[\t\n\f\r />])"


def _any_case(*names: str) -> str:
    # Spelled out instead of re.IGNORECASE, which would slow every character class down (and know K, the kelvin sign).
    return (
        "(?:" + "|".join("".join(f"[{c}{c.upper()}]" if c.isalpha() else re.escape(c) for c in n) for n in names) + ")"
    )


# 13.2.5.32 to 13.2.5.40. An attribute without a value must not be followed by "=": were a quote left open, the tag
# would otherwise seem to end inside it.
_ATTRIBUTE_NAME = r"[^\t\n\f\r />][^\t\n\f\r />=]*+"
_EQUALS = rf"{_SPACE}*+={_SPACE}*+"
_VALUES = (r'"([^"]*+)"', r"'([^']*+)'", r"""([^\t\n\f\r >"'][^\t\n\f\r >]*+)""", r"(?=>)")
_VALUE = "|".join(_VALUES)
_UNCAPTURED_VALUE = _VALUE.replace("(", "(?:").replace("(?:?", "(?")
_NO_VALUE = rf"(?!{_SPACE}*+=)"


def _attributes_regex(name: str) -> str:
    return any_number(rf"[\t\n\f\r /]++|{name}(?:{_EQUALS}(?:{_UNCAPTURED_VALUE})|{_NO_VALUE})")


_ANY_ATTRIBUTES = _attributes_regex(_ATTRIBUTE_NAME)
# What nearly every tag looks like, first: no quote, "=" or "<" but in ="…" just behind a name. The same, only faster.
_PLAIN_VALUES = any_number(r"""(?<=[a-zA-Z0-9-])="[^"]*+"[^<>"'=]*+""")
_ATTRIBUTES = rf"""(?:[^<>"'=]*+{_PLAIN_VALUES}>|{_ANY_ATTRIBUTES}>)"""
_TAG_NAME = r"[a-zA-Z][^\t\n\f\r />]*+"

# Elements whose content is text up to their own end tag (13.2.6.4). Script has rules of its own, plaintext never ends.
_RAW_TEXT = ("style", "title", "textarea", "xmp", "iframe", "noembed", "noframes")
_HOLDS_TEXT = frozenset({*_RAW_TEXT, "script", "plaintext"})
_EVENTS = ("a", "area", "script", "plaintext", "svg", "math")

# Ends at "-->" or "--!>", or at once in "<!-->" and "<!--->" (13.2.5.43 to 13.2.5.51).
_REF = _any_case("ref")
_COMMENT_CONTENT = rf"!--(?:-?>|{any_number(r'[^-]++|-(?!-!?>)')}--!?>)"
_COMMENT_WITHOUT_HREF = f"!--(?:-?>|{any_number(f'[^-hH]++|[hH](?!{_REF})|-(?!-!?>)')}--!?>)"
_BOGUS_COMMENT_CONTENT = r"(?:!(?!--)|\?|/(?![a-zA-Z]))[^>]*+>"  # and the doctype, which ends like one (13.2.5.53)
# A "<" that starts nothing is text; of several in a row the last may start something.
_STRAY = r"<*(?:(?![<a-zA-Z/!?])|(?=<))"

_RAW_TEXT_END = {name: re.compile(rf"</{_any_case(name)}{_NAME_END}") for name in _RAW_TEXT}
_RAW_TEXT_ELEMENT = "|".join(
    _any_case(name) + _NAME_END + _ATTRIBUTES + any_number(rf"[^<]++|<(?!/{_any_case(name)}{_NAME_END})")
    for name in _RAW_TEXT
)
# Tags by their first letter, so that most are told from _EVENTS and _RAW_TEXT at a glance; <td> and <tr> abound.
_FIRST_LETTERS = "".join({name[0] for name in (*_EVENTS, *_RAW_TEXT)})
_OTHER_LETTERS = "".join(letter for letter in ascii_lowercase if letter not in _FIRST_LETTERS)
_OTHER_TAG = "|".join(
    (
        r"/[ac-zAC-Z][a-zA-Z0-9]*+>",
        rf"[{_OTHER_LETTERS}{_OTHER_LETTERS.upper()}][^\t\n\f\r />]*+{_ATTRIBUTES}",
        rf"[tT](?:[dDrR]|{_any_case('able')}){_NAME_END}{_ATTRIBUTES}",
        rf"(?!{_any_case(*_EVENTS, *_RAW_TEXT)}{_NAME_END}){_TAG_NAME}{_ATTRIBUTES}",
        rf"/(?!{_any_case('body')}{_NAME_END}){_TAG_NAME}{_ATTRIBUTES}",
    )
)


def _text_and(*markup: str) -> str:
    return any_number(rf"[^<]*+<(?:{'|'.join(markup)})") + "[^<]*+"


_BETWEEN_EVENTS = re.compile(
    _text_and(_OTHER_TAG, _COMMENT_WITHOUT_HREF, _BOGUS_COMMENT_CONTENT, _RAW_TEXT_ELEMENT, _STRAY)
)
_BETWEEN_TAGS = re.compile(_text_and(_COMMENT_WITHOUT_HREF, r"(?:\?|/(?![a-zA-Z]))[^>]*+>", _STRAY))
# Groups: closing, name, and of the first href its name and its value: double-quoted, single-quoted, unquoted.
_HREF = rf"{_any_case('href')}(?=[\t\n\f\r />=])"
_TAG = re.compile(
    rf"<(/?)({_TAG_NAME}){_attributes_regex(rf'(?!{_HREF}){_ATTRIBUTE_NAME}')}"
    rf"(?:({_HREF})(?:{_EQUALS}(?:{_VALUE})|{_NO_VALUE}){_ATTRIBUTES}|>)"
)
_COMMENT = re.compile(f"<{_COMMENT_CONTENT}")
_DECLARATION = re.compile(r"<!(?!--)[^>]*+>")
_BOGUS_COMMENT = re.compile(f"<{_BOGUS_COMMENT_CONTENT}")
_TEXT = re.compile(_text_and(_STRAY))
_CONDITION = re.compile(rf"<!--\[{_any_case('if')}([^\]]*+)\]>")
_ATTRIBUTE = re.compile(rf"({_ATTRIBUTE_NAME})(?:{_EQUALS}(?:{'|'.join(_VALUES[:3])}|)|)")
# 13.2.5.4 to 13.2.5.31, script data: what opens and closes its escaped and double escaped states.
_SCRIPT_DATA = re.compile(rf"<!--|-->|<(/?){_any_case('script')}{_NAME_END}")

MAX_TEXT = 200
"""A link's text is for a report and for telling a URL by its looks; a longer one is neither."""


class Part(StrEnum):
    """Who reads a link: every client, or Outlook alone, from a comment."""

    HTML = "html"
    OUTLOOK = "outlook"


class Element(NamedTuple):
    """A start tag that may link, and where it and its `href` stand."""

    name: str
    """Lower case."""
    start: int
    end: int
    """Just past the tag's `>`."""
    href_start: int
    href_end: int
    """The value as written, quotes not included."""
    quote: str
    """The character that quotes the value: `"`, `'` or nothing."""
    part: Part
    region_end: int
    """Where what it stands in ends: the message, or the comment for Outlook."""


class Scan(NamedTuple):
    """The links of a message."""

    elements: list[Element]
    """Those that have a `href`, in source order: `a` and `area`, and VML in comments that Outlook reads as HTML."""
    body_end: int | None
    """Where the last `</body>` tag starts; None where there is none."""


def scan(html: str) -> Scan:
    """Find the links of a message. Never raises; time is linear in the length of `html`."""
    scanner = _Scanner(html)
    if not scanner.message(tree=None):
        scanner = _Scanner(html)
        scanner.message(tree=OpenElements())
    return Scan(scanner.elements, scanner.body_end)


def attributes(html: str, element: Element) -> dict[str, str]:
    """The attributes of an element: values as written, by lower-case name. Of a name the first counts.

    Without a value: the empty string.
    """
    return _values(_ATTRIBUTE.finditer(html, element.start + 1 + len(element.name), element.end - 1))


def text_ends(elements: Sequence[Element]) -> list[int]:
    """Where the text of each of these ends at the latest: where the next `a` of the same part starts.

    Without it, links that each open a style sheet in SVG, where it hides nothing, would read the message once for each.
    """
    ends = []
    next_starts: dict[Part, int] = {}
    for element in reversed(elements):
        ends.append(min(element.region_end, next_starts.get(element.part, element.region_end)))
        if element.name == "a":
            next_starts[element.part] = element.start
    ends.reverse()
    return ends


def visible_text(html: str, element: Element, end: int) -> str:
    """The text of a link as a reader sees it, white space collapsed; at most about MAX_TEXT characters of it.

    `end` is that of `text_ends`.
    """
    if element.name != "a":
        return ""
    position = element.end
    pieces: list[str] = []
    length = 0
    while length < MAX_TEXT and (text := _TEXT.match(html, position, end)) is not None:
        pieces.append(text[0])
        length += len(text[0])
        tag = _TAG.match(html, text.end(), end)
        if tag is None:
            other = _COMMENT.match(html, text.end(), end) or _BOGUS_COMMENT.match(html, text.end(), end)
            if other is None:
                break
            position = other.end()
            continue
        name = tag[2].lower()
        if name == "a":
            break
        if name not in _INLINE:
            pieces.append(" ")
        position = tag.end()
        if not tag[1] and name in _HOLDS_TEXT:
            position = _text_end(html, name, position, end)
    return " ".join(decode_text("".join(pieces)).split())


class _Scanner:
    def __init__(self, html: str) -> None:
        self._html = html
        self.elements: list[Element] = []
        self.body_end: int | None = None

    def message(self, tree: OpenElements | None) -> bool:
        """Scan the message. False, at once, when it turns out to need a tree and has none."""
        html = self._html
        skip = (_BETWEEN_EVENTS if tree is None else _BETWEEN_TAGS).match
        position = 0
        while (skipped := skip(html, position)) is not None:
            position = skipped.end()
            tag = _TAG.match(html, position)
            if tag is None:
                after = self._after_declaration(position, cdata=tree is not None and tree.in_foreign_content)
                if after is None:
                    break
                position = after
                continue
            position = tag.end()
            name = tag[2].lower()
            if tag[1]:
                self._ended(tree, tag, name)
                continue
            if tree is None and name in ("svg", "math"):
                return False
            namespace = Namespace.HTML if tree is None else self._started(tree, tag, name)
            if name == "a" or (name == "area" and namespace is Namespace.HTML):
                self._link(tag, name, Part.HTML, len(html))
            elif name in _HOLDS_TEXT and namespace is Namespace.HTML:
                position = _text_end(html, name, position, len(html))
        return True

    def _ended(self, tree: OpenElements | None, tag: re.Match[str], name: str) -> None:
        if name == "body":
            self.body_end = tag.start()
        if tree is not None:
            tree.end(name)

    def _started(self, tree: OpenElements, tag: re.Match[str], name: str) -> Namespace:
        attributes = list(_ATTRIBUTE.finditer(self._html, tag.end(2), tag.end() - 1))
        slash = tag.end() - 2
        ends_a_value = bool(attributes) and attributes[-1].end() > slash
        self_closing = self._html[slash] == "/" and not ends_a_value
        return tree.start(name, self_closing=self_closing, attributes=_values(attributes))

    def _after_declaration(self, position: int, *, cdata: bool) -> int | None:
        """Past the comment, doctype or CDATA section that starts at `position`. None: what starts there never ends."""
        html = self._html
        if comment := _COMMENT.match(html, position):
            condition = _CONDITION.match(html, position, comment.end())
            if condition and "mso" in condition[1].lower():
                self._outlook_comment(condition.end(), comment.end())
            return comment.end()
        if cdata and html.startswith("<![CDATA[", position):
            end = html.find("]]>", position)
            return None if end < 0 else end + 3
        declaration = _DECLARATION.match(html, position)
        return declaration.end() if declaration else None

    def _outlook_comment(self, position: int, end: int) -> None:
        html = self._html
        while (skipped := _BETWEEN_TAGS.match(html, position, end)) is not None:
            tag = _TAG.match(html, skipped.end(), end) or _DECLARATION.match(html, skipped.end(), end)
            if tag is None:
                break
            position = tag.end()
            if tag.re is _DECLARATION or tag[1]:
                continue
            name = tag[2].lower()
            if name in ("a", "area") or name.startswith("v:"):
                self._link(tag, name, Part.OUTLOOK, end)
            elif name in _HOLDS_TEXT:
                position = _text_end(html, name, position, end)

    def _link(self, tag: re.Match[str], name: str, part: Part, region_end: int) -> None:
        if tag[_HREF_GROUP] is None:
            return
        group = tag.lastindex or _HREF_GROUP
        start, end = tag.span(group)
        if group == _HREF_GROUP:  # no value: it would stand behind the name
            start = end
        self.elements.append(
            Element(name, tag.start(), tag.end(), start, end, _QUOTE_OF_GROUP[group], part, region_end)
        )


_INLINE = frozenset(
    {"abbr", "b", "bdi", "bdo", "big", "code", "em", "font", "i", "s", "small", "span", "strike", "strong", "sub"}
    | {"sup", "tt", "u", "wbr"}
)
_HREF_GROUP = 3
_QUOTE_OF_GROUP = {_HREF_GROUP: "", 4: '"', 5: "'", 6: ""}


def _values(attributes: Iterable[re.Match[str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for match in attributes:
        values.setdefault(match[1].lower(), match[2] or match[3] or match[4] or "")
    return values


def _text_end(html: str, name: str, start: int, end: int) -> int:
    """Where the text ends that an HTML element holds in place of elements."""
    if name == "plaintext":
        return end
    if name == "script":
        return _script_end(html, start, end)
    found = _RAW_TEXT_END[name].search(html, start, end)
    return found.start() if found else end


def _script_end(html: str, position: int, end: int) -> int:
    escaped = double_escaped = False
    while match := _SCRIPT_DATA.search(html, position, end):
        position = match.end()
        found = match[0]
        if found == "<!--":
            escaped = True
            position -= 2  # the dashes of "<!-->" close it too
        elif found == "-->":
            escaped = double_escaped = False
        elif not match[1]:
            double_escaped = escaped
        elif double_escaped:
            double_escaped = False
        else:
            return match.start()
    return end
