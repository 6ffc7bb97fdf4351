"""The committed OpenAPI document is the one the code makes."""

import json
from pathlib import Path

import pytest

from waypost.control.errors import Code
from waypost.control.openapi import document

COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"
OPERATIONS = [
    pytest.param(operation, id=f"{method} {path}")
    for path, methods in json.loads(document())["paths"].items()
    for method, operation in methods.items()
]


def test_the_committed_document_is_up_to_date():
    assert COMMITTED.read_text(encoding="utf-8") == document(), (
        "the API has changed: run `python -m waypost.control.openapi docs/openapi.json`"
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_refusal_is_documented_with_our_error_body(operation):
    refusals = {status: answer for status, answer in operation["responses"].items() if not status.startswith("2")}

    assert "422" not in refusals, "FastAPI's own validation answer is never given"
    for status, answer in refusals.items():
        assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ErrorBody"}, status


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_says_what_it_does(operation):
    assert operation["summary"]
    assert operation["description"]


def test_every_code_starts_with_an_http_error_status():
    assert {code.status // 100 for code in Code} == {4, 5}
