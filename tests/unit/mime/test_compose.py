import re
from binascii import a2b_qp
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header
from email.message import EmailMessage
from email.message import Message as StdlibMessage
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from waypost.mime import Mailbox, Message, compose
from waypost.mime.errors import ForbiddenCharacterError
from waypost.mime.transfer import base64, quoted_printable, transfer

SEND_ID = UUID("0190f5fe-7c00-7a00-8000-0123456789ab")
SENT_AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
SHOP = Mailbox("shop@example.com", "Shop")
READER = Mailbox("reader@example.net", "Reader")

any_text = st.text(st.characters(exclude_categories=["Cs"]))
line_ends = st.lists(st.sampled_from(["\r\n", "\r", "\n", " ", "\t", ".", "From ", "=", "a", "é", "\U0001f98a", "\0"]))
header_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))


def message(**changes) -> Message:
    fields = {"send_id": SEND_ID, "sent_at": SENT_AT, "from_": SHOP, "to": (READER,), "subject": "Hello"}
    return Message(**(fields | changes))


def parsed(raw: bytes) -> EmailMessage:
    found = message_from_bytes(raw, policy=policy.default)
    assert isinstance(found, EmailMessage)
    assert [part.defects for part in found.walk()] == [[] for _ in found.walk()]
    return found


def part_bytes(raw: bytes, subtype: str) -> bytes:
    (found,) = [part for part in parsed(raw).walk() if part.get_content_subtype() == subtype]
    payload = StdlibMessage.get_payload(found, decode=True)
    assert isinstance(payload, bytes)
    return payload


def field(raw: bytes, name: str) -> str:
    """The field's value, unfolded as RFC 5322 says: the CRLF goes, the white space stays."""
    head = raw.split(b"\r\n\r\n", 1)[0].decode("ascii")
    (value,) = [line for line in re.sub(r"\r\n(?=[ \t])", "", head).split("\r\n") if line.startswith(f"{name}:")]
    return value.removeprefix(f"{name}:").removeprefix(" ")


def decoded(value: str) -> str:
    return "".join(
        part if isinstance(part, str) else part.decode(charset or "ascii") for part, charset in decode_header(value)
    )


def assert_fit_for_smtp(raw: bytes) -> None:
    assert raw.isascii()
    assert b"\0" not in raw
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw), "every line end is CRLF"
    assert raw.endswith(b"\r\n")
    assert max(map(len, raw.split(b"\r\n"))) <= 76


@given(any_text | line_ends.map("".join))
@example("")
@example("no final newline")
@example("spaces at the end   \n and tab\t\r\n")
@example("a" * 75 + "\r\n" + "a" * 76 + "\n")
@example("\r\r\n\n\r")
@example("\0\x7f\x1b")
@example("\U0010ffff" * 100)
def test_a_part_transfer_decodes_to_the_exact_bytes_alone_or_beside_another(html):
    alone = compose(message(html=html))
    both = compose(message(html=html, text=html))
    assert part_bytes(alone, "html") == html.encode()
    assert part_bytes(both, "html") == html.encode()
    assert part_bytes(both, "plain") == html.encode()
    assert_fit_for_smtp(alone)
    assert_fit_for_smtp(both)


@given(st.binary())
@example(b"a" * 72 + b"=" * 5)
@example(b"From a\n.b\nFrom c")
def test_both_encodings_give_back_any_bytes(data):
    assert a2b_qp(quoted_printable(data)) == data
    assert a2b_qp(quoted_printable(data).replace(b"\r\n", b"\n")) == data, "stored with LF line ends"
    assert transfer(data).body == min(quoted_printable(data), base64(data), key=len)


@pytest.mark.parametrize(
    ("html", "encoding"),
    [
        ("<p>mostly ASCII, a caf\u00e9</p>", "quoted-printable"),
        ("", "quoted-printable"),
        ("\u4f60\u597d\uff0c\u4e16\u754c" * 20, "base64"),
        ("\U0001f98a" * 20, "base64"),
    ],
)
def test_the_shorter_encoding_is_taken(html, encoding):
    assert parsed(compose(message(html=html)))["Content-Transfer-Encoding"] == encoding


def test_no_line_starts_with_what_relays_and_mailboxes_change():
    html = "From a\n.b\n" + "x" * 68 + "From b" + "." * 300
    assert not re.search(rb"(?m)^(From |\.)", compose(message(html=html)))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"html": "<p>", "text": "t"}, ["multipart/alternative", "text/plain", "text/html"]),
        ({"html": "<p>"}, ["text/html"]),
        ({"text": "t"}, ["text/plain"]),
        ({"html": "", "text": ""}, ["multipart/alternative", "text/plain", "text/html"]),
        ({}, ["text/plain"]),
    ],
)
def test_the_structure_follows_the_parts_there_are(parts, expected):
    found = list(parsed(compose(message(**parts))).walk())
    assert [part.get_content_type() for part in found] == expected
    assert [part.get_content_charset() for part in found] == [
        None if kind.startswith("multipart") else "utf-8" for kind in expected
    ]


def test_the_same_message_composes_to_the_same_bytes_and_another_send_to_others():
    assert compose(message(html="a", text="b")) == compose(message(html="a", text="b"))
    other = UUID(int=SEND_ID.int + 1)
    assert field(compose(message()), "Message-ID") == f"<{SEND_ID.hex}@example.com>"
    assert field(compose(message(send_id=other)), "Message-ID") == f"<{other.hex}@example.com>"


@given(st.text(alphabet=f"-=_ab{SEND_ID.hex[:4]}\r\n"))
@example(f"\r\n--=_a{SEND_ID.hex}--\r\n")
def test_the_boundary_never_occurs_in_a_part(html):
    boundary = f"=_a{SEND_ID.hex}".encode()
    raw = compose(message(html=html, text=html))
    assert parsed(raw).get_boundary() == boundary.decode()
    assert raw.count(boundary) == 4  # the header, before each part, at the end


@given(header_text)
@example("Rabatt: 20 % auf alles!")
@example("=?utf-8?q?already?=")
@example(" a  b ")
@example("x" * 1500)
@example("a b " * 100)
@example("\u0645\u0631\u062d\u0628\u0627 " * 30)
@example("\U0001f468\u200d\U0001f469\u200d\U0001f467" * 20)
@example("next\u0085line\u2028separator\x0b\x1c")
def test_a_subject_of_any_script_decodes_to_what_was_given(subject):
    raw = compose(message(subject=subject))
    assert decoded(field(raw, "Subject")) == subject
    assert_fit_for_smtp(raw)


@given(
    st.lists(st.tuples(header_text, st.sampled_from(["a@example.com", '"a, b"@example.com'])), min_size=1, max_size=4)
)
@example([('Doe, "J." \\ Inc. <x@y>', "a@example.com"), ("\u738b\u5c0f\u660e, M\u00fcller " * 9, "b@example.com")])
@example([("John Q. Public", "a@example.com"), ("=?x?=", "b@example.com"), ("w" * 200, "c@example.com")])
@example([("a, " * 40, "a@example.com"), ('()<>[]:;@\\,."', "b@example.com")])
def test_display_names_of_any_script_decode_to_what_was_given(boxes):
    raw = compose(message(to=(READER,), reply_to=tuple(Mailbox(address, name) for name, address in boxes)))
    found = parsed(raw)["Reply-To"].addresses
    assert [box.addr_spec for box in found] == [address for _, address in boxes]
    assert_fit_for_smtp(raw)
    for (name, _), box in zip(boxes, found, strict=True):
        assert shown(box.display_name) == shown(name)


def shown(name: str) -> str:
    """The stdlib parser folds runs of white space in display names, and drops what it holds for controls."""
    return "".join(name.split())


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (Mailbox("a@example.com"), "a@example.com"),
        (Mailbox("a@example.com", "Plain Name"), "Plain Name <a@example.com>"),
        (Mailbox("a@example.com", "Doe, Jane"), '"Doe, Jane" <a@example.com>'),
        (Mailbox("a@example.com", 'the "boss" \\'), '"the \\"boss\\" \\\\" <a@example.com>'),
        (
            Mailbox("a@example.com", "Zo\u00eb van der Berg, Q"),
            "=?utf-8?q?Zo=C3=AB_van_der_Berg=2C_Q?= <a@example.com>",
        ),
        (Mailbox("a@example.com", "\u738b\u5c0f\u660e"), "=?utf-8?b?546L5bCP5piO?= <a@example.com>"),
    ],
)
def test_a_mailbox_is_written_as_plainly_as_it_can_be(box, expected):
    assert field(compose(message(to=(box,))), "To") == expected


def test_even_the_longest_addresses_stay_under_the_limit_of_smtp():
    longest = Mailbox("a" * 64 + "@" + "b." * 126 + "c", "\u4f60\u597d " * 100)
    raw = compose(message(from_=longest, to=(longest,), reply_to=(longest, longest)))
    assert max(map(len, raw.split(b"\r\n"))) <= 998, "RFC 5322, section 2.1.1"
    assert [box.addr_spec for box in parsed(raw)["Reply-To"].addresses] == [longest.address] * 2


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "\r\n"])
@pytest.mark.parametrize("where", ["subject", "name"])
def test_what_would_end_a_header_is_refused(bad, where):
    with pytest.raises(ForbiddenCharacterError) as caught:
        compose(message(subject=f"a{bad}Bcc: x@example.com")) if where == "subject" else Mailbox("a@b.c", f"a{bad}b")
    assert caught.value.position == 1


@pytest.mark.parametrize("field_name", ["subject", "html", "text"])
def test_a_lone_surrogate_is_refused(field_name):
    with pytest.raises(ForbiddenCharacterError):
        compose(message(**{field_name: "ab\ud83d"}))


def test_the_date_is_the_one_given():
    assert parsed(compose(message()))["Date"].datetime == SENT_AT
