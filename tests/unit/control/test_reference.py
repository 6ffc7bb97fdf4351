"""The committed reference is the one the code makes, and leaves nothing out."""

import json
import re
from pathlib import Path

from waypost.control.openapi import document
from waypost.control.reference import reference

COMMITTED = Path(__file__).parents[3] / "docs" / "api.md"


def test_the_committed_reference_is_up_to_date():
    assert COMMITTED.read_text(encoding="utf-8") == reference(), (
        "the API has changed: run `python -m waypost.control.reference docs/api.md`"
    )


def test_every_path_and_every_object_of_the_document_has_its_heading():
    said = json.loads(document())
    paths = {f"{method.upper()} {path}" for path, methods in said["paths"].items() for method in methods}

    headings = set(re.findall(r"^### (.+)$", reference(), re.MULTILINE))

    assert headings == paths | set(said["components"]["schemas"])


def test_every_link_leads_to_an_object():
    names = {name.lower() for name in json.loads(document())["components"]["schemas"]}

    assert set(re.findall(r"\]\(#(\w+)\)", reference())) <= names
