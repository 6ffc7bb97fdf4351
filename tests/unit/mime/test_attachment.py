from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.utils import collapse_rfc2231_value
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from waypost.mime import Attachment, Mailbox, Message, compose
from waypost.mime.attachment import is_content_id, is_content_type
from waypost.mime.errors import ForbiddenCharacterError, MalformedAttachmentError

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), min_size=1)


def parsed(*attachments, **changes):
    raw = compose(
        Message(
            **(
                {
                    "send_id": UUID(int=7),
                    "sent_at": datetime(2026, 2, 3, tzinfo=UTC),
                    "from_": Mailbox("a@example.com"),
                    "to": (Mailbox("b@example.net"),),
                    "subject": "s",
                    "html": "<p>",
                    "text": "t",
                    "attachments": attachments,
                }
                | changes
            )
        )
    )
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 76
    found = message_from_bytes(raw, policy=policy.default)
    assert [part.defects for part in found.walk()] == [[] for _ in found.walk()]
    return found


def structure(part):
    if not part.is_multipart():
        return part.get_content_type()
    return [part.get_content_subtype(), *map(structure, part.iter_parts())]


FILE = Attachment("f.pdf", "application/pdf", b"%PDF")
IMAGE = Attachment("i.png", "image/png", b"\x89PNG", "logo")


@pytest.mark.parametrize(
    ("attachments", "parts", "expected"),
    [
        ([FILE], {}, ["mixed", ["alternative", "text/plain", "text/html"], "application/pdf"]),
        ([IMAGE], {}, ["alternative", "text/plain", ["related", "text/html", "image/png"]]),
        (
            [IMAGE, FILE],
            {},
            ["mixed", ["alternative", "text/plain", ["related", "text/html", "image/png"]], "application/pdf"],
        ),
        ([FILE], {"html": None}, ["mixed", "text/plain", "application/pdf"]),
        ([IMAGE], {"text": None}, ["related", "text/html", "image/png"]),
        ([IMAGE], {"html": None}, ["mixed", "text/plain", "image/png"]),
        ([FILE, FILE], {"html": None, "text": None}, ["mixed", "text/plain", "application/pdf", "application/pdf"]),
    ],
)
def test_the_structure_follows_what_there_is(attachments, parts, expected):
    assert structure(parsed(*attachments, **parts)) == expected


@given(names, st.binary())
@example("a" * 200 + ".txt", b"")
@example("Rechnung Nr. 7 \u2013 M\u00e4rz.pdf", b"\r\n.\r\nFrom x\n")
@example("請求書" * 60, b"\0")
@example("\U0001f468\u200d\U0001f469" * 20, b"=\t \n" * 99)
@example('quo"ted\\.txt', b"a")
@example("=?utf-8?q?x?=.txt", b"a")
@example("100% *it's* (done).txt", b"a")
def test_name_and_bytes_come_back_exactly(name, data):
    [_, part] = parsed(Attachment(name, "application/octet-stream", data), html=None).iter_parts()

    assert collapse_rfc2231_value(part.get_param("filename", header="content-disposition")) == name
    assert part.get_payload(decode=True) == data
    assert part.get_content_disposition() == "attachment"


def test_an_inline_image_is_shown_by_its_id():
    [_, [_, related]] = [None, list(parsed(IMAGE).iter_parts())]

    [html, image] = related.iter_parts()
    assert related.get_param("type") == html.get_content_type() == "text/html"
    assert (image["Content-ID"], image.get_content_disposition()) == ("<logo>", "inline")


def test_parameters_of_the_content_type_stay():
    kind = 'text/calendar; method=REQUEST;  charset="utf-8"; x=' + "y" * 50
    [_, part] = parsed(Attachment("i.ics", kind, b"BEGIN"), html=None).iter_parts()

    assert [part.get_param(name) for name in ("method", "charset", "x")] == ["REQUEST", "utf-8", "y" * 50]


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("application/pdf", True),
        ("image/svg+xml", True),
        ("text/plain; charset=utf-8", True),
        ('text/plain; a="b;\\" c"', True),
        ("text", False),
        ("text/", False),
        ("text/plain;", False),
        ("text/plain; charset", False),
        ("text/plain\r\nBcc: x@y", False),
        ("text/plain; a=b c", False),
        ("text/plain; name=ä", False),
        ("multipart/mixed", False),
        ("Message/RFC822", False),
        ("a/" + "b" * 254, False),
        ("", False),
    ],
)
def test_only_content_types_that_an_attachment_can_have_are_taken(value, good):
    assert is_content_type(value) is good


@pytest.mark.parametrize(
    ("value", "good"),
    [("logo", True), ("logo@shop.example", True), ("a b", False), ("<a>", False), ("a%20", False), ("", False)],
)
def test_a_content_id_stands_in_a_cid_url_as_it_is(value, good):
    assert is_content_id(value) is good


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"name": "a\r\nb"}, ForbiddenCharacterError),
        ({"content_type": "x"}, MalformedAttachmentError),
        ({"content_id": "a\nb"}, MalformedAttachmentError),
    ],
)
def test_what_would_end_a_header_makes_no_attachment(fields, error):
    with pytest.raises(error):
        Attachment(**({"name": "a", "content_type": "a/b", "data": b""} | fields))
