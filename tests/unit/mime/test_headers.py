"""Further header fields, ways to unsubscribe, and the return path."""

import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from waypost.mime import Mailbox, Message, Unsubscribe, compose
from waypost.mime.custom import FieldNameProblem, field_name_problem
from waypost.mime.errors import ForbiddenCharacterError, ForbiddenFieldError, MalformedUnsubscribeError
from waypost.mime.header import MAX_LITERAL, literal
from waypost.mime.return_path import return_path


def fields(**changes) -> dict[str, str]:
    """The message's header fields, unfolded as RFC 5322 says."""
    message = {
        "send_id": UUID(int=7),
        "sent_at": datetime(2026, 2, 3, tzinfo=UTC),
        "from_": Mailbox("a@example.com"),
        "to": (Mailbox("b@example.net"),),
        "subject": "s",
    }
    raw = compose(Message(**(message | changes)))
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    head = re.sub(r"\r\n(?=[ \t])", "", raw.partition(b"\r\n\r\n")[0].decode("ascii"))
    return dict(line.split(": ", 1) for line in head.split("\r\n"))


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=MAX_LITERAL))
@example("a   b" * 60)
@example("<" + "i" * 200 + "@example.com> " * 3)
@example("=?utf-8?q?already?=")
@example("x" * MAX_LITERAL)
def test_a_value_in_ascii_stays_as_it_is_written(value):
    value = value.strip()

    folded = literal("References", value)

    assert re.sub(r"\r\n(?=[ \t])", "", folded) == f"References: {value}"
    assert not re.search(r"(?m)^[ \t]*$", folded), "no line of white space only: RFC 5322, section 3.2.2"
    assert all(len(line) <= 76 or " " not in line.removeprefix("References: ").strip() for line in folded.split("\r\n"))


def test_a_value_in_another_script_becomes_encoded_words():
    assert fields(headers=(("Organization", "Bücher"),))["Organization"] == "=?utf-8?q?B=C3=BCcher?="


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\0b", "a\ud800"])
def test_a_value_that_would_end_the_header_is_refused(bad):
    with pytest.raises(ForbiddenCharacterError) as caught:
        fields(headers=(("X-Mine", bad),))
    assert caught.value.field == "X-Mine"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("X-Campaign", None),
        ("References", None),
        ("In-Reply-To", None),
        ("List-Id", None),
        ("Feedback-ID", None),
        ("Auto-Submitted", None),
        *((name, FieldNameProblem.RESERVED) for name in [
            "From", "from", "Sender", "To", "CC", "Bcc", "Reply-To", "Subject", "Date", "Message-Id", "MIME-Version",
            "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Return-Path", "Received",
            "Received-SPF", "Authentication-Results", "ARC-Seal", "DKIM-Signature", "Resent-To", "Delivered-To",
            "List-Unsubscribe", "List-Unsubscribe-Post", "Apparently-To",
        ]),
        *((name, FieldNameProblem.MALFORMED) for name in ["", "a b", "a:", "ä", "a\r\nb", "x" * 77, "a\0", "From "]),
    ],
)  # fmt: skip
def test_only_fields_that_nobody_else_sets_can_be_added(name, problem):
    assert field_name_problem(name) is problem
    if problem:
        with pytest.raises(ForbiddenFieldError):
            fields(headers=((name, "v"),))
    else:
        assert fields(headers=((name, "v"),))[name] == "v"


@pytest.mark.parametrize(
    ("unsubscribe", "expected"),
    [
        (
            Unsubscribe(url="https://example.com/l?u=1&l=2", mailto="mailto:l@example.com?subject=off", one_click=True),
            {
                "List-Unsubscribe": "<https://example.com/l?u=1&l=2>, <mailto:l@example.com?subject=off>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
        ),
        (Unsubscribe(url="http://example.com/l"), {"List-Unsubscribe": "<http://example.com/l>"}),
        (Unsubscribe(mailto="mailto:l@example.com"), {"List-Unsubscribe": "<mailto:l@example.com>"}),
        (
            Unsubscribe(url="https://example.com/" + "x" * 880, mailto="mailto:l@example.com"),
            {"List-Unsubscribe": "<https://example.com/" + "x" * 880 + ">, <mailto:l@example.com>"},
        ),
    ],
)
def test_ways_to_unsubscribe_are_written_as_they_are(unsubscribe, expected):
    found = fields(unsubscribe=unsubscribe)

    assert {name: value for name, value in found.items() if name.startswith("List-")} == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"url": "ftp://example.com/"},
        {"url": "https://example.com/ä"},
        {"url": "https://example.com/a b"},
        {"url": "https://example.com/>, <https://evil.example/"},
        {"url": "https://example.com/\r\nBcc: x@y"},
        {"url": "https://example.com/" + "x" * 900},
        {"url": "http://example.com/", "one_click": True},
        {"mailto": "mailto:l@example.com", "one_click": True},
        {"mailto": "l@example.com"},
        {"mailto": "mailto:nobody"},
        {"mailto": "mailto:jörg@example.com"},
        {"mailto": "mailto:l@example.com?subject=a b"},
    ],
)
def test_what_no_mailbox_provider_could_use_is_refused(wrong):
    with pytest.raises(MalformedUnsubscribeError):
        Unsubscribe(**wrong)


def test_the_return_path_names_the_send():
    send_id = UUID("0190f5fe-7c00-7a00-8000-0123456789ab")

    assert return_path(send_id, "b.example.com") == "bounce-0190f5fe7c007a0080000123456789ab@b.example.com"
    assert len(return_path(send_id, ("a" * 53 + ".") * 3 + "a" * 52)) == 254, "RFC 5321, section 4.5.3.1.3, less <>"
