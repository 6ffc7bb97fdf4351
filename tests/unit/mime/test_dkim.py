"""DKIM signatures, verified by dkimpy, which shares no code with ours."""

import re
from base64 import b64encode
from datetime import UTC, datetime
from uuid import UUID

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dkim.canonicalization import Relaxed
from hypothesis import example, given
from hypothesis import strategies as st
from tests.rsa_key import rsa_private_key

from waypost.mime import Attachment, Mailbox, Message, Unsubscribe, compose
from waypost.mime.dkim import Signer, relaxed_body, sign

SENT_AT = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RSA = rsa_private_key()
SIGNERS = [Signer("example.com", "one", RSA), Signer("example.com", "two", ED25519)]
PUBLISHED = {
    b"one._domainkey.example.com.": b"v=DKIM1; k=rsa; p="
    + b64encode(RSA.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)),
    b"two._domainkey.example.com.": b"v=DKIM1; k=ed25519; p="
    + b64encode(ED25519.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)),
}
UNSUBSCRIBE = Unsubscribe(url="https://example.com/leave?a=1&b=2", mailto="mailto:leave@example.com", one_click=True)


def message(**changes) -> bytes:
    fields = {
        "send_id": UUID(int=7),
        "sent_at": SENT_AT,
        "from_": Mailbox("shop@example.com", "Shöp"),
        "to": (Mailbox("reader@example.net"),),
        "subject": "Hello",
        "html": "<p>a</p>",
        "text": "a",
    }
    return compose(Message(**(fields | changes)))


def signed(**changes) -> bytes:
    return sign(message(**changes), SIGNERS, SENT_AT)


def verified(raw: bytes) -> list[bool]:
    found = dkim.DKIM(raw)
    return [good(found, index) for index in range(len(SIGNERS))]


def good(found: dkim.DKIM, index: int) -> bool:
    try:
        return found.verify(index, dnsfunc=lambda name, timeout: PUBLISHED.get(name))  # noqa: ARG005 - by its name
    except dkim.ValidationError:  # so it calls a body that was changed
        return False


def signed_names(raw: bytes) -> list[str]:
    return re.sub(r"\s", "", re.search(r"h=([^;]*);", raw.decode())[1]).split(":")


texts = st.text(st.characters(exclude_categories=["Cs"]))
header_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))


@given(texts, header_texts)
@example("", "")
@example(" \t \r\n\r\n \t", "  spaced   out \t ")
@example("=\r\n" * 40, "x" * 500)
@example("日本語 " * 99, "日本語 " * 40)
@example("\ttab\t \n" * 30, "a\tb")
def test_both_signatures_of_whatever_is_sent_are_good(content, subject):
    assert verified(signed(html=content, text=content, subject=subject)) == [True, True]


@pytest.mark.parametrize("name", ["Thread;l=0", "A;b=c", "List-;x"])
def test_a_field_that_cannot_be_named_in_a_signature_is_sent_unsigned(name):
    raw = signed(headers=((name, "v"), ("Feedback-ID", "f")))
    assert f"\r\n{name}: v\r\n".encode() in raw
    assert verified(raw) == [True, True]
    assert "feedback-id" in signed_names(raw)


def test_everything_a_message_may_have_is_signed_well():
    raw = signed(
        attachments=(Attachment("ä.txt", "text/plain", b"a  b\t\n"), Attachment("b", "image/png", b"\0" * 99, "logo")),
        unsubscribe=UNSUBSCRIBE,
        headers=(("References", "<a@b> " * 30 + "<c@d>"), ("X-Campaign", "a   b"), ("List-Id", "<l.example.com>")),
    )

    assert verified(raw) == [True, True]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Subject: Hello", "Subject: Hallo"),
        ("To: reader", "To: another"),
        ("Date: Tue, 03", "Date: Tue, 04"),
        ("List-Unsubscribe: <https://example.com", "List-Unsubscribe: <https://example.net"),
        ("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", ""),
        ("MIME-Version: 1.0", "MIME-Version: 1.1"),
        ("Message-ID: <0", "Message-ID: <1"),
        ("References: <a", "References: <b"),
        ("<p>a</p>", "<p>b</p>"),
        ("; t=1770", "; t=1760"),
    ],
)
def test_what_is_changed_on_the_way_breaks_both(before, after):
    raw = signed(unsubscribe=UNSUBSCRIBE, headers=(("References", "<a@b>"),))
    assert before.encode() in raw

    assert verified(raw.replace(before.encode(), after.encode())) == [False, False]


@pytest.mark.parametrize(
    "field",
    [
        "From: Bank <bank@example.org>", "To: x@example.org", "Reply-To: x@example.org", "Subject: x",
        "Date: Tue, 03 Feb 2026 04:05:06 +0000", "MIME-Version: 1.0", "Content-Type: text/html",
        "Content-Transfer-Encoding: 7bit", "List-Unsubscribe: <https://example.org/>", "List-Unsubscribe-Post: x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["top", "bottom"])
def test_what_is_put_in_on_the_way_breaks_both(field, where):
    raw = signed(unsubscribe=Unsubscribe(mailto="mailto:leave@example.com"))
    head, _, body = raw.partition(b"\r\n\r\n")
    added = field.encode()

    changed = added + b"\r\n" + raw if where == "top" else head + b"\r\n" + added + b"\r\n\r\n" + body

    assert verified(changed) == [False, False]


@pytest.mark.parametrize(
    "field", ["Received: by relay", "Return-Path: <>", "X-Spam: no", "List-Id: <l.example>", "Sender: list@example.org"]
)
def test_what_relays_and_mailing_lists_put_in_breaks_nothing(field):
    assert verified(field.encode() + b"\r\n" + signed()) == [True, True]


def test_what_a_relay_takes_out_for_itself_breaks_nothing():
    raw = signed(headers=(("X-SES-Configuration-Set", "shop"),))

    assert verified(raw.replace(b"X-SES-Configuration-Set: shop\r\n", b"")) == [True, True]


def test_refolding_breaks_nothing():
    raw = signed(subject="word " * 40, headers=(("Comments", "a b c"),))
    refolded = raw.replace(b"Comments: a b c", b"COMMENTS:\r\n\t a  b\r\n c ").replace(b"Subject: ", b"Subject:    ")

    assert refolded != raw
    assert verified(refolded) == [True, True]


def test_fields_are_named_once_more_than_they_occur_and_others_as_often():
    names = signed_names(signed(headers=(("In-Reply-To", "<a@b>"), ("List-Id", "<l>"), ("X-Mine", "x"))))

    assert {name: names.count(name) for name in names} == {
        "from": 2, "to": 2, "subject": 2, "date": 2, "mime-version": 2, "content-type": 2, "list-id": 2,
        "cc": 1, "reply-to": 1, "content-transfer-encoding": 1, "message-id": 1, "in-reply-to": 1,
    }  # fmt: skip


def test_the_same_message_is_signed_with_the_same_bytes_and_only_headers_are_added():
    assert signed() == signed()
    assert signed().endswith(message())


def test_signature_lines_are_short_and_end_in_crlf():
    added = signed(headers=tuple((f"Field-{n}", "v") for n in range(40))).removesuffix(
        message(headers=tuple((f"Field-{n}", "v") for n in range(40)))
    )

    assert max(map(len, added.split(b"\r\n"))) <= 78
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|[ \t]\r\n", added)
    assert added.count(b"DKIM-Signature: ") == 2


@given(st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"=\r\n"])).map(b"".join))
@example(b"")
@example(b"\r\n\r\n")
@example(b" \t")
@example(b"a \t")
@example(b"a" + b" " * 100 + b"\r\n" + b"\t" * 7)
def test_a_body_is_hashed_as_dkimpy_hashes_it(body):
    """But for white space before the end of a body without a line end, which dkimpy forgets and RFC 6376 does not."""
    ended = body if body.endswith(b"\r\n") or not body else body + b"\r\n"

    assert relaxed_body(body) == Relaxed.canonicalize_body(ended)
