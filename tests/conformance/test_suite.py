"""C1, agreement with HTML5 parsers on inputs derived from the html5lib and web-platform tests."""

import gzip
import json
from pathlib import Path

from tests.conformance.reversal import assert_reversible
from waypost.links import Decision, Part, Policy, plan

INPUTS = 27_785


def test_every_input_of_the_suite_gives_the_links_that_html5_parsers_agree_on(shared: Path) -> None:
    wrong = []
    count = 0
    with gzip.open(shared / "suites" / "rewriter_checks.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            case = json.loads(line)
            count += 1
            p = plan(case["html"], Policy())
            links = [link for link in p.links if link.part is Part.HTML]
            destinations = [link.destination for link in links if link.decision is Decision.TRACKED]
            if destinations not in (case["expect"], *case.get("alt_expect", ())):
                wrong.append((case["id"], case["html"], case["expect"], destinations))
                continue
            if destinations == case["expect"]:
                wrong += [
                    (case["id"], case["html"], expected, (link.start, link.end))
                    for link, expected in zip(links, case["links"], strict=True)
                    if not stands_in(case["html"], link.start, link.end, expected["s"], expected["e"])
                ]
            assert_reversible(case["html"], p)
    assert wrong == []
    assert count == INPUTS
    print(f"\n{count:,} of {INPUTS:,} suite inputs exact and reversible")


def stands_in(html: str, start: int, end: int, attribute_start: int, attribute_end: int) -> bool:
    """Whether a value lies in an attribute whose place is given in UTF-16 units."""
    units = [len(html[:offset].encode("utf-16-le", "surrogatepass")) // 2 for offset in (start, end)]
    return attribute_start < units[0] <= units[1] <= attribute_end
