"""R8, the rewrite report, and what else a plan tells of its links."""

import json

import pytest

from waypost.links import Policy, plan

HTML = (
    '<p><a href="https://h.example/?a&amp;b" data-smtpd-link-name="Buy" data-smtpd-link-tags="sale, top,,">Buy &amp; '
    "<b>save</b>\n now</a> <a href='#top'>Up</a></p>"
)


def test_the_report_is_ready_for_json():
    report = json.loads(json.dumps(plan(HTML, Policy()).report()))
    assert report.pop("size").keys() == {"content_bytes", "encoded_bytes", "clipped_by_gmail"}
    assert report == {
        "tracked": 1,
        "skipped": 1,
        "links": [
            {
                "index": 0,
                "part": "html",
                "destination": "https://h.example/?a&b",
                "decision": "tracked",
                "reason": None,
                "name": "Buy",
                "tags": ["sale", "top"],
                "text": "Buy & save now",
                "start": 12,
                "end": 38,
            },
            {
                "index": 1,
                "part": "html",
                "destination": "#top",
                "decision": "skipped",
                "reason": "fragment",
                "name": None,
                "tags": [],
                "text": "Up",
                "start": HTML.index("#top"),
                "end": HTML.index("#top") + 4,
            },
        ],
    }
    assert HTML[12:38] == "https://h.example/?a&amp;b"


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("a  b\n\tc", "a b c"),
        ("<b>a</b>b<i>c</i>", "abc"),
        ("a<br>b<p>c</p>d", "a b c d"),
        ("a<img alt=b>c", "a c"),
        ("a<!-- b -->c<? d >e", "ace"),
        ("a<style>b</style>c<script>d</script>e", "a c e"),
        ("&lt;b&gt; &ampc &notit;", "<b> &c \u00acit;"),
        ("1 < 2 &amp &#50;", "1 < 2 & 2"),
        ("a</div>b", "a b"),
        ("a<a href=/>b", "a"),
        ("a</a>b", "a"),
        ("a<div b", "a"),
        ("a<!-- b", "a"),
        ("", ""),
    ],
)
def test_the_text_of_a_link_is_what_its_reader_sees(inside, text):
    assert plan(f"<a href=http://h.example/>{inside}", Policy()).links[0].text == text


def test_a_long_text_is_cut():
    text = plan("<a href=http://h.example/>" + "<b>word</b> " * 1_000 + "</a>", Policy()).links[0].text
    assert text.startswith("word word")
    assert len(text) < 300


def test_twins_share_tags():
    html = '<!--[if mso]><v:rect href="http://h.example/"/><![endif]--><a data-smtpd-link-tags=x href="http://h.example/">y</a>'
    assert [link.tags for link in plan(html, Policy()).links] == [("x",), ("x",)]


def test_the_pixel_goes_before_the_last_body_end_tag_that_is_one():
    html = "<body></body><!-- </body> --><p></BODY ><style></body></style>"
    rendered = plan(html, Policy()).render(lambda link: link.destination, pixel_url="http://h.example/?a&b")
    assert rendered == html.replace(
        "</BODY >",
        '<img src="http://h.example/?a&amp;b" width="1" height="1" alt=""'
        ' style="border:0;width:1px;height:1px"></BODY >',
    )


def test_a_plan_renders_for_many_recipients():
    p = plan(HTML, Policy())
    assert p.render(lambda _: "http://one") != p.render(lambda _: "http://two")
    assert p.render(lambda link: link.destination) == HTML


def test_a_url_that_is_empty_is_refused_before_it_makes_the_next_attribute_the_value():
    with pytest.raises(ValueError, match="empty URL"):
        plan("<a href=https://h.example/ title=x>", Policy()).render(lambda _: "")
