"""Planning a message's links once, and rendering it for any number of recipients."""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypedDict

from waypost.links import optout, size, utm
from waypost.links.charrefs import decode_attribute
from waypost.links.destination import ASCII_WHITESPACE, MAX_DESTINATION_BYTES
from waypost.links.html import Element, Part, attributes, scan, text_ends, visible_text
from waypost.links.policy import Policy
from waypost.links.reason import Decision, Reason

NAME_ATTRIBUTE = "data-smtpd-link-name"
TAGS_ATTRIBUTE = "data-smtpd-link-tags"
TYPICAL_GROWTH = 68
"""Characters by which a tracked link is longer than its destination: the median over real messages, as
`bench/links_length.py` measures it."""
_HINTS = ("data-smtpd-", *optout.HINTS)


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a message and what was decided about it."""

    index: int
    """From 0, in source order. A link and its twins for Outlook share one."""
    destination: str
    """Where it leads: the value, decoded and stripped, with the policy's UTM parameters when it is tracked."""
    reason: Reason | None
    """Why it was skipped; None when it is tracked."""
    name: str | None
    tags: tuple[str, ...]
    _element: Element = field(repr=False)
    _html: str = field(repr=False)
    _text_end: int = field(repr=False)

    @property
    def decision(self) -> Decision:
        """Tracked or skipped."""
        return Decision.TRACKED if self.reason is None else Decision.SKIPPED

    @property
    def part(self) -> Part:
        """Who reads it: every client, or Outlook alone."""
        return self._element.part

    @property
    def start(self) -> int:
        """Where the value as written starts in the message; its quotes stand outside."""
        return self._element.href_start

    @property
    def end(self) -> int:
        """Just past the value as written."""
        return self._element.href_end

    @property
    def quote(self) -> str:
        """The character that quotes the value, or nothing."""
        return self._element.quote

    @property
    def text(self) -> str:
        """What the reader sees of it, white space collapsed, cut when long. Read from the message at each call."""
        return visible_text(self._html, self._element, self._text_end)


class LinkReport(TypedDict):
    """One link of a rewrite report."""

    index: int
    part: Part
    destination: str
    decision: Decision
    reason: Reason | None
    name: str | None
    tags: list[str]
    text: str
    start: int
    end: int


class SizeReport(TypedDict):
    """The size of the HTML part."""

    content_bytes: int
    encoded_bytes: int
    clipped_by_gmail: bool


class Report(TypedDict):
    """A rewrite report, ready for JSON."""

    tracked: int
    skipped: int
    links: list[LinkReport]
    size: SizeReport


class Plan:
    """What becomes of each link of one message. Render it once per recipient."""

    def __init__(self, html: str, links: list[Link], body_end: int | None) -> None:
        self.html = html
        self.links = links
        """Every candidate, in source order."""
        self.tracked = [link for link in links if link.reason is None]
        """Those that rendering replaces, in source order."""
        spans = [(link.start, link.end) for link in self.tracked]
        pixel_at = len(html) if body_end is None else body_end
        self._pixel_slot = bisect_left(spans, (pixel_at, pixel_at))
        spans.insert(self._pixel_slot, (pixel_at, pixel_at))
        starts, ends = zip(*spans, strict=True)
        self._fixed = [html[end:start] for end, start in zip((0, *ends), (*starts, len(html)), strict=True)]

    def render(self, make_url: Callable[[Link], str], pixel_url: str | None = None) -> str:
        """The message with each tracked link's value replaced, and the open pixel when its URL is given.

        `make_url` is called once for each tracked link, in source order. The pixel goes before the last `</body>` tag,
        else at the end. Nothing else changes: put the old values back, take out `pixel_markup(pixel_url)`, and the
        input is there again, character for character.

        Raises:
            ValueError: `make_url` returned an empty URL.
        """
        values = [_escape(make_url(link), link.quote) for link in self.tracked]
        if "" in values:  # unquoted, the next attribute would become the value
            raise ValueError("make_url returned an empty URL")
        values.insert(self._pixel_slot, "" if pixel_url is None else pixel_markup(pixel_url))
        pieces = [""] * (len(self._fixed) + len(values))
        pieces[0::2] = self._fixed
        pieces[1::2] = values
        return "".join(pieces)

    def report(self, rendered: str | None = None) -> Report:
        """The rewrite report. Its size is that of `rendered`; without it, of what rendering is expected to give."""
        if rendered is None:
            values = sum(len(link.destination) + TYPICAL_GROWTH for link in self.tracked)
            rendered = "".join((*self._fixed, "x" * values))  # as long as that, whichever value stands where
        html_size = size.measure(rendered)
        return {
            "tracked": len(self.tracked),
            "skipped": len(self.links) - len(self.tracked),
            "links": [_link_report(link) for link in self.links],
            "size": {
                "content_bytes": html_size.content_bytes,
                "encoded_bytes": html_size.encoded_bytes,
                "clipped_by_gmail": html_size.clipped,
            },
        }


def plan(html: str, policy: Policy) -> Plan:
    """Find the links of a message and decide about each.

    Never raises on content: any str is a message, as it is to a mail client. Time is linear in its length.
    """
    found = scan(html)
    elements = [element for element in found.elements if policy.outlook or element.part is Part.HTML]
    urls = [
        decode_attribute(html[element.href_start : element.href_end]).strip(ASCII_WHITESPACE) for element in elements
    ]
    indexes = _indexes(elements, urls)
    wishes = _wishes(html, elements, indexes, policy)
    links = []
    for index, element, url, end in zip(indexes, elements, urls, text_ends(elements), strict=True):
        wish = wishes.get(index, _NO_WISH)
        reason = (
            Reason.OPT_OUT if wish.opt_out else policy.reason_to_skip(url, partial(visible_text, html, element, end))
        )
        destination = url
        if reason is None and policy.utm:
            destination = utm.add_parameters(url, policy.utm)
            if len(destination) > MAX_DESTINATION_BYTES:
                reason, destination = Reason.TOO_LONG, url
        links.append(Link(index, destination, reason, wish.name, wish.tags, element, html, end))
    return Plan(html, links, found.body_end)


def pixel_markup(url: str) -> str:
    """The image that tells an open. Not `display:none`, which some clients take as a reason not to load it."""
    source = _escape(url, '"')
    return f'<img src="{source}" width="1" height="1" alt="" style="border:0;width:1px;height:1px">'


def _indexes(elements: Sequence[Element], urls: Sequence[str]) -> Sequence[int]:
    """The link index of each element: its own, or that of its twin.

    A link for Outlook is the twin of the nearest link for everybody that leads to the same place; where there is none,
    of the first one for Outlook that does.
    """
    if all(element.part is Part.HTML for element in elements):
        return range(len(elements))
    for_everybody: dict[str, list[int]] = {}
    for number, (element, url) in enumerate(zip(elements, urls, strict=True)):
        if element.part is Part.HTML:
            for_everybody.setdefault(url, []).append(number)
    for_outlook: dict[str, int] = {}
    leaders = []
    for number, (element, url) in enumerate(zip(elements, urls, strict=True)):
        if element.part is Part.HTML:
            leaders.append(number)
        elif url in for_everybody:
            leaders.append(_nearest(for_everybody[url], element, elements))
        else:
            leaders.append(for_outlook.setdefault(url, number))
    numbers: dict[int, int] = {}
    return [numbers.setdefault(leader, len(numbers)) for leader in leaders]


def _nearest(candidates: Sequence[int], outlook: Element, elements: Sequence[Element]) -> int:
    def gap(number: int) -> int:
        # Between them, without what either holds: of two buttons in a row the first `a` may start nearer.
        link = elements[number]
        return link.start - outlook.region_end if link.start > outlook.start else outlook.start - link.end

    after = bisect_left(candidates, outlook.start, key=lambda number: elements[number].start)
    return min(candidates[max(after - 1, 0) : after + 1], key=gap)


class _Wish(NamedTuple):
    """What the author wrote on a link, or on a twin of it, about its tracking."""

    opt_out: bool = False
    name: str | None = None
    tags: tuple[str, ...] = ()


_NO_WISH = _Wish()


def _wishes(html: str, elements: Sequence[Element], indexes: Sequence[int], policy: Policy) -> dict[int, _Wish]:
    """By link index. Few links carry any, and a glance at the tag tells: its attributes need not be taken apart."""
    wishes: dict[int, _Wish] = {}
    for index, element in zip(indexes, elements, strict=True):
        tag = html[element.start : element.end].lower()
        if not any(map(tag.__contains__, _HINTS)):
            continue
        written = attributes(html, element)
        before = wishes.get(index, _NO_WISH)
        wishes[index] = _Wish(
            before.opt_out or optout.opts_out(written, policy.marks),
            before.name or decode_attribute(written.get(NAME_ATTRIBUTE, "")).strip() or None,
            before.tags or _tags(decode_attribute(written.get(TAGS_ATTRIBUTE, ""))),
        )
    return wishes


def _tags(written: str) -> tuple[str, ...]:
    return tuple(tag for part in written.split(",") if (tag := part.strip()))


def _escape(url: str, quote: str) -> str:
    """`url` as an attribute value between these quotes, or unquoted."""
    if quote:
        return url.replace("&", "&amp;").replace(quote, f"&#{ord(quote)};")
    return _UNQUOTED_UNSAFE.sub(lambda match: f"&#{ord(match[0])};", url)


# What ends an unquoted value or must not stand in one (HTML standard, 13.1.2.3), and the reference's own "&".
_UNQUOTED_UNSAFE = re.compile(r"""[&\t\n\f\r "'=<>`]""")


def _link_report(link: Link) -> LinkReport:
    return {
        "index": link.index,
        "part": link.part,
        "destination": link.destination,
        "decision": link.decision,
        "reason": link.reason,
        "name": link.name,
        "tags": list(link.tags),
        "text": link.text,
        "start": link.start,
        "end": link.end,
    }
