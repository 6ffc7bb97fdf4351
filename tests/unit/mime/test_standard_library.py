"""What the standard library's `email` does to messages, which is why they are written here: docs/adr/0008-messages.md.

When one of these fails, Python has changed, and the decision may be looked at again.
"""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64"])
@pytest.mark.parametrize("html", ["<p>no final line end", "lone CR\r, lone LF\n", "form feed\f\n"])
def test_it_changes_the_bytes_of_a_part(html, encoding):
    message = EmailMessage(policy=policy.SMTP)
    message.set_content(html, subtype="html", charset="utf-8", cte=encoding)

    arrived = message_from_bytes(message.as_bytes(), policy=policy.SMTP).get_payload(decode=True)

    assert arrived != html.encode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("List-Unsubscribe", "<https://example.com/" + "a" * 80 + ">, <mailto:leave@example.com>"),
        ("References", "<" + "a" * 80 + "@example.com>"),
    ],
)
def test_it_encodes_what_must_be_read_as_it_is_once_it_is_longer_than_a_line(name, value):
    message = EmailMessage(policy=policy.SMTP)
    message[name] = value

    assert b"=?utf-8?q?" in message.as_bytes()


def test_it_refuses_a_subject_that_holds_a_line_separator():
    with pytest.raises(ValueError, match="linefeed"):
        EmailMessage(policy=policy.SMTP)["Subject"] = "a\u2028b"
