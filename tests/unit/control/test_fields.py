"""The kinds of text a request may hold."""

import pytest
from pydantic import TypeAdapter, ValidationError

from waypost.control.fields import (
    DomainName,
    EmailAddress,
    MailDomainName,
    OptionalEmailAddress,
    Subject,
    Text,
    WebUrl,
    domain_of,
)

LONGEST = "a." * 106 + "bc"


@pytest.mark.parametrize(
    ("kind", "written", "kept"),
    [
        (EmailAddress, "Ada@EXAMPLE.com", "Ada@example.com"),
        (EmailAddress, "a@localhost", "a@localhost"),
        (EmailAddress, "a@mail.test", "a@mail.test"),
        (EmailAddress, "a@printer.local", "a@printer.local"),
        (EmailAddress, "a+b!#$%&'*/=?^_`{|}~-@example.com", "a+b!#$%&'*/=?^_`{|}~-@example.com"),
        (EmailAddress, "a@bücher.example", "a@bücher.example"),
        (OptionalEmailAddress, "", ""),
        (OptionalEmailAddress, "a@EXAMPLE.com", "a@example.com"),
        (DomainName, "Links.Example.COM", "links.example.com"),
        (DomainName, "bücher.example", "xn--bcher-kva.example"),
        (DomainName, "straße.example", "xn--strae-oqa.example"),
        (DomainName, "localhost", "localhost"),
        (MailDomainName, LONGEST, LONGEST),
        (WebUrl, "HTTPS://example.com/?a=1&b=%20#f", "HTTPS://example.com/?a=1&b=%20#f"),
        (Subject, "tab\tand 👋", "tab\tand 👋"),
        (Text, "NUL \x00, line\r\nends, 👋", "NUL \x00, line\r\nends, 👋"),
    ],
)
def test_what_is_right_is_kept(kind, written, kept):
    assert TypeAdapter(kind).validate_python(written) == kept


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (EmailAddress, ""),
        (EmailAddress, "a@example.com\n"),
        (EmailAddress, "a@b\x00.example"),
        (EmailAddress, "a@[127.0.0.1]"),
        (EmailAddress, "a@x.invalid"),
        (EmailAddress, '"a b"@example.com'),
        (EmailAddress, "a@" + "x" * 250 + ".example"),
        (DomainName, ""),
        (MailDomainName, "d" + LONGEST),
        (MailDomainName, "ü." * 50 + "bc"),
        (DomainName, "example.com:443"),
        (DomainName, "https://example.com"),
        (DomainName, "exa mple.com"),
        (DomainName, "example.com."),
        (DomainName, "-.com"),
        (DomainName, "example.com\r\nX: y"),
        (WebUrl, "javascript:alert(1)"),
        (WebUrl, "https://example.com/\r\nSet-Cookie: a=b"),
        (WebUrl, "https://"),
        (WebUrl, "//example.com"),
        (WebUrl, "https://example.com/ä"),
        (WebUrl, "https://example.com/" + "x" * 2048),
        (Subject, "a\nb"),
        (Subject, "a\x1bb"),
        (Subject, "a\x7f"),
        (Subject, "\x9f"),
        (Text, "\ud800"),
    ],
)
def test_what_is_wrong_is_refused(kind, written):
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(written)


@pytest.mark.parametrize(
    ("address", "domain"), [("a@Example.com", "example.com"), ("a@bücher.example", "xn--bcher-kva.example")]
)
def test_the_domain_of_an_address_is_written_as_profiles_keep_it(address, domain):
    assert domain_of(TypeAdapter(EmailAddress).validate_python(address)) == domain
