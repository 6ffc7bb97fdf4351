"""What makes two requests the same."""

import pytest

from waypost.control.fields import RequestModel
from waypost.control.idempotency import _digest


class Asked(RequestModel):
    subject: str | None = None
    tags: list[str] | None = None
    file: bytes | None = None


def digest(route="send", **fields):
    return _digest(route, Asked(**fields))


@pytest.mark.parametrize("fields", [{"subject": "a", "tags": ["x"]}, {"file": b"\xff\x00"}, {"subject": "\ud800"}])
def test_the_same_fields_make_the_same_request_in_any_order(fields):
    assert digest(**fields) == digest(**dict(reversed(fields.items())))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"subject": "a"}, {"subject": "b"}),
        ({"tags": ["x", "y"]}, {"tags": ["y", "x"]}),
        ({"file": b"\xff"}, {"file": b"\xfe"}),
        ({}, {"subject": None}),
        ({}, {"route": "batch"}),
    ],
)
def test_another_value_or_route_makes_another_request(one, other):
    assert digest(**one) != digest(**other)
