"""docs/links.md lists what there is, in the order that counts."""

import re
from pathlib import Path

from waypost.links import Mark, Reason

DOCUMENT = (Path(__file__).parents[3] / "docs" / "links.md").read_text()


def first_column(heading):
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)


def test_every_reason_is_documented_in_its_order_of_precedence():
    assert first_column("Reasons to skip") == list(Reason)


def test_every_opt_out_mark_is_documented():
    assert first_column("Opt-out marks") == list(Mark)
