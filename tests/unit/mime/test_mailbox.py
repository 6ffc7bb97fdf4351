import pytest

from waypost.mime import AddressProblem, Mailbox, ascii_domain, mailbox
from waypost.mime.errors import MalformedMailboxError


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("reader@example.com", Mailbox("reader@example.com")),
        ("First.Last+tag@Example.COM", Mailbox("First.Last+tag@example.com")),
        ('"a b"@example.com', Mailbox('"a b"@example.com')),
        ("shop@localhost", Mailbox("shop@localhost")),
        ("info@b\u00fccher.example", Mailbox("info@xn--bcher-kva.example")),
        ("info@stra\u00dfe.example", Mailbox("info@xn--strae-oqa.example")),
        ("info@\u4f8b\u5b50.\u6d4b\u8bd5", Mailbox("info@xn--fsqu00a.xn--0zwm56d")),
        ("j\u00f6rg@example.com", AddressProblem.SMTPUTF8_REQUIRED),
        ("a..b@example.com", AddressProblem.MALFORMED),
        ("a b@example.com", AddressProblem.MALFORMED),
        ("@example.com", AddressProblem.MALFORMED),
        ("example.com", AddressProblem.MALFORMED),
        ("a@", AddressProblem.MALFORMED),
        ("a@-b.com", AddressProblem.MALFORMED),
        ("a@[127.0.0.1]", AddressProblem.MALFORMED),
        ("a@b..c", AddressProblem.MALFORMED),
        ("a@b.c\r\nRCPT TO:<x@y>", AddressProblem.MALFORMED),
        ("a@b.c\n", AddressProblem.MALFORMED),
        ("a>@b.c", AddressProblem.MALFORMED),
        ("a" * 65 + "@example.com", AddressProblem.MALFORMED),
        ("a@" + "b." * 126 + "cc", AddressProblem.MALFORMED),
        ("a@\u2488com", AddressProblem.MALFORMED),
    ],
)
def test_an_address_becomes_a_mailbox_or_says_what_is_wrong(written, expected):
    assert mailbox(written) == expected


@pytest.mark.parametrize("bad", ["a@b\u00fccher.example", "j\u00f6rg@b.c", "a@b.c\r\n", "a\n@b.c", "no-at", "a@b c"])
def test_a_mailbox_cannot_be_made_around_the_check(bad):
    with pytest.raises(MalformedMailboxError):
        Mailbox(bad)


def test_a_domain_is_lowered_and_given_as_a_labels():
    assert ascii_domain("M\u00dcNCHEN.Example") == "xn--mnchen-3ya.example"
