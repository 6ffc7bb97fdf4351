"""Fuzz plan: python fuzz/fuzz_plan.py -max_total_time=60

Whatever the text, it is planned without an error; every link stands where the plan says; the message comes back when
the old values are put back and the pixel is taken out; and the rendered message holds the same links, the new ones
leading to what was put in.
"""

import sys

import atheris

with atheris.instrument_imports(include=["waypost"]):
    from waypost.links import Handling, Mark, Policy, pixel_markup, plan
    from waypost.links.charrefs import decode_attribute
    from waypost.links.destination import ASCII_WHITESPACE, check

POLICIES = (
    Policy(),
    Policy(outlook=False, marks=frozenset(Mark), utm={"utm_source": "a b"}),
    Policy(sensitive=Handling.SKIP, visible_url=Handling.SKIP, excluded_hosts={"h"}, unsubscribe_urls={"http://u"}),
)
# A fuzzer that mutates bytes finds these sooner when it need not spell them.
WORDS = (
    *"""\
<a href=http://h/>
<a href="http://h/?a&amp;b">
<a href='http://u'>
</a>
<area href=
<!--[if mso]>
<v:rect href="http://h/">
<![endif]-->
<!--[if !mso]><!-->
<!--
-->
--!>
<style>
</style>
<script>
</script>
<svg>
</svg>
<math>
<mi>
<foreignObject>
<![CDATA[
]]>
<p>
</body>
<table>
<td>
&#
&amp
{{
}}
data-smtpd-no-track
href
"
'
>
/>""".splitlines(),
    "\0",
    " = ",
    "\r\n",
)


def message(provider):
    pieces = []
    while provider.remaining_bytes():
        choice = provider.ConsumeIntInRange(0, len(WORDS))
        pieces.append(provider.ConsumeUnicode(8) if choice == len(WORDS) else WORDS[choice])
    return "".join(pieces)


def expect(condition, html):
    if not condition:
        raise AssertionError(f"does not hold for {html!r}")


def check_plan(html, policy):
    p = plan(html, policy)
    position = 0
    for link in p.links:
        expect(position <= link.start <= link.end <= len(html), html)
        position = link.end
        written = decode_attribute(html[link.start : link.end]).strip(ASCII_WHITESPACE)
        expect(link.reason is None or link.destination == written, html)
        expect(link.reason is not None or check(link.destination) is None, html)
    report = p.report()
    expect(report["tracked"] + report["skipped"] == len(p.links), html)

    mark = "http://put.in/" + "x" * len(html)
    before, pixel, after = p.render(lambda _: mark, pixel_url=mark).partition(pixel_markup(mark))
    expect(pixel, html)
    pieces = (before + after).split(mark)
    old_values = (*(html[link.start : link.end] for link in p.tracked), "")
    expect(len(pieces) == len(old_values), html)
    expect("".join(piece + value for piece, value in zip(pieces, old_values, strict=True)) == html, html)

    url = "http://put.in/?a&b=\"'<> `&amp;"
    again = plan(p.render(lambda _: url), policy)
    expected = [url if link.reason is None else link.destination for link in p.links]
    expect([link.destination for link in again.links] == expected, html)


def test_one_input(data: bytes) -> None:
    provider = atheris.FuzzedDataProvider(data)
    policy = POLICIES[provider.ConsumeIntInRange(0, len(POLICIES) - 1)]
    as_text = provider.ConsumeBool()
    check_plan(provider.ConsumeUnicode(sys.maxsize) if as_text else message(provider), policy)


if __name__ == "__main__":
    atheris.Setup(sys.argv, test_one_input)
    atheris.Fuzz()
