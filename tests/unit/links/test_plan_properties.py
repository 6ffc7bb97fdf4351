"""What holds for a plan of any text at all (C2)."""

import re

import html5lib
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.links import html_pieces as pieces

from waypost.links import Decision, Policy, pixel_markup, plan
from waypost.links.charrefs import decode_attribute
from waypost.links.destination import check
from waypost.links.html import attributes, scan

OUTLOOK = (
    *("<!--[if mso]>", "<!--[if !mso]><!-->", "<!--<![endif]-->", "<![endif]-->", "<!--[if (gte mso 9)|(IE)]>"),
    *("<v:roundrect href=http://h.example/@>", '<v:rect href="http://h.example/@?a&amp;b"/>', "<!--[if", "]>"),
)
TRACKABLE = (
    *("<a href=http://h.example/@>", '<a href="https://h.example/@">', "<a href=' HTTP://h.example/@ '>", "</a>"),
    *(
        "<A HREF = https://h.example/?@&amp;b >",
        "<area href=http://h.example>",
        "<a href=http://h.example/@/",
        "</body>",
    ),
    *('<a data-smtpd-no-track href="http://h.example/">', "<a href='http://h.example/{{@}}'>", "<body>"),
)
messages = pieces.documents(
    *TRACKABLE, *OUTLOOK, *pieces.TEXT, *pieces.RAW_TEXT, *pieces.BLOCKS, *pieces.FOREIGN, max_size=20
) | st.text(max_size=60)
urls = st.text(
    st.sampled_from("&\"'<>=` ;#aA1/?") | st.characters(exclude_characters="\0\r", codec="utf-8"), min_size=1
)
put_in_urls = st.lists(urls, min_size=1, max_size=5)
PIXEL = "https://links.example.com/o/x.gif?a=1&b=\"'"


class Urls:
    """A `make_url` that hands out some URLs in turn, and keeps what it was asked."""

    def __init__(self, urls):
        self._urls = urls
        self.asked = []
        self.given = []

    def __call__(self, link):
        self.asked.append(link)
        self.given.append(self._urls[len(self.given) % len(self._urls)])
        return self.given[-1]


def stranger_to(html):
    """A URL that stands nowhere in a message."""
    return "http://put.in.example/" + "x" * len(html)


@given(messages)
def test_a_plan_tells_where_each_link_stands(html):
    p = plan(html, Policy())
    assert [link for link in p.links if link.decision is Decision.TRACKED] == p.tracked
    position = 0
    for link in p.links:
        assert position <= link.start <= link.end <= len(html)
        assert decode_attribute(html[link.start : link.end]).strip("\t\n\f\r ") == link.destination
        assert html[link.start - 1 : link.start] == link.quote or not link.quote
        assert html[link.end : link.end + 1] == link.quote or not link.quote
        assert (check(link.destination) is None) or link.reason is not None
        position = link.end
    first_seen = list(dict.fromkeys(link.index for link in p.links))
    assert first_seen == list(range(len(first_seen)))
    report = p.report()
    assert report["tracked"] + report["skipped"] == len(p.links)
    assert [link["text"] for link in report["links"]] == [link.text for link in p.links]


@given(messages, put_in_urls)
def test_rendering_asks_once_for_each_tracked_link_in_source_order(html, urls):
    p = plan(html, Policy())
    make_url = Urls(urls)
    p.render(make_url)
    assert make_url.asked == p.tracked


@given(messages)
def test_rendering_changes_the_values_of_tracked_links_alone(html):
    p = plan(html, Policy())
    mark = stranger_to(html)
    ends = [0, *(link.end for link in p.tracked)]
    starts = [*(link.start for link in p.tracked), len(html)]
    between = [html[end:start] for end, start in zip(ends, starts, strict=True)]
    assert p.render(lambda _: mark).split(mark) == between


@given(messages)
def test_the_message_comes_back_when_old_values_are_put_back_and_the_pixel_is_taken_out(html):
    p = plan(html, Policy())
    mark = stranger_to(html)
    rendered = p.render(lambda _: mark, pixel_url=mark + "pixel")
    before, pixel, after = rendered.partition(pixel_markup(mark + "pixel"))
    assert pixel
    old_values = iter([html[link.start : link.end] for link in p.tracked])
    assert re.sub(mark, lambda _: next(old_values), before + after) == html
    assert next(old_values, None) is None


@given(messages)
def test_the_pixel_stands_before_the_last_body_end_tag_or_at_the_end(html):
    p = plan(html, Policy())
    _, _, after = p.render(lambda _: "http://x.example/", pixel_url=PIXEL).partition(pixel_markup(PIXEL))
    body_end = scan(html).body_end
    assert after == "" if body_end is None else re.match(r"</body", after, re.IGNORECASE)


@settings(max_examples=300)
@given(messages, put_in_urls)
def test_a_rendered_message_has_the_same_links_and_the_new_ones_lead_where_make_url_said(html, urls):
    p = plan(html, Policy())
    make_url = Urls(urls)
    rendered = p.render(make_url)
    new_urls = iter(make_url.given)
    expected = [
        (link.part, next(new_urls).strip("\t\n\f\r ") if link.reason is None else link.destination) for link in p.links
    ]
    again = plan(rendered, Policy())
    assert [(link.part, link.destination) for link in again.links] == expected
    before, after = scan(html).elements, scan(rendered).elements
    assert [element.name for element in after] == [element.name for element in before]
    for old, new in zip(before, after, strict=True):
        without = {name: value for name, value in attributes(html, old).items() if name != "href"}
        assert {name: value for name, value in attributes(rendered, new).items() if name != "href"} == without


@given(urls, st.sampled_from(['"', "'", ""]))
def test_html5lib_reads_a_put_in_url_as_it_was_given(url, quote):
    rendered = plan(f"<a href={quote}http://h.example/{quote} id=x>y</a>", Policy()).render(lambda _: url)
    (link,) = html5lib.parseFragment(rendered, namespaceHTMLElements=False)
    assert dict(link.attrib) == {"href": url, "id": "x"}


references = st.builds(
    "{}{}{}".format,
    st.sampled_from(
        [
            *(
                "&",
                "&amp",
                "&lt",
                "&copy",
                "&not",
                "&notin",
                "&NotEqualTilde",
                "&#",
                "&#0",
                "&#13",
                "&#55296",
                "&#1114112",
            ),
            *("&#99999999999", "&#x", "&#x80", "&#X9f", "&#xFFFE", "\r", "\r\n", "\0"),
        ]
    ),
    st.sampled_from(["", ";", "=", "a", "1", "&", "-"]),
    st.text(st.characters(codec="utf-8", exclude_characters='"'), max_size=3),
)


@settings(max_examples=300)
@given(st.lists(references, min_size=1).map("".join))
def test_a_value_is_decoded_as_html5lib_decodes_it(value):
    (link,) = html5lib.parseFragment(f'<a href="{value}">', namespaceHTMLElements=False)
    assert decode_attribute(value) == link.attrib["href"]
