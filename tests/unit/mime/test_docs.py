"""docs/mail.md lists what cannot be added; the list is closed, so it must be whole."""

import re
from pathlib import Path

from waypost.mime.custom import FORBIDDEN_NAMES, FORBIDDEN_PREFIXES

MAIL = Path(__file__).parents[3] / "docs" / "mail.md"


def test_the_fields_that_cannot_be_added_are_all_in_the_document():
    [listed] = re.findall(r"receiver sets: ([^.]*)\.", MAIL.read_text("utf-8"))

    named = {name.lower() for name in re.split(r",\s+", listed)}
    assert named == FORBIDDEN_NAMES | {f"{prefix}*" for prefix in FORBIDDEN_PREFIXES}
