"""E-mail addresses as the API takes them."""

import re

import email_validator
from email_validator import validate_email

# Reserved names that mail on one's own network does use. The library's documented way to allow them is this list.
_LOCAL_NAMES = {"local", "localhost"}
email_validator.SPECIAL_USE_DOMAIN_NAMES[:] = [
    name for name in email_validator.SPECIAL_USE_DOMAIN_NAMES if name not in _LOCAL_NAMES
]

_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
# Two hyphens after two characters are an A-label's, or nobody's (RFC 5890, section 2.3.1).
_LABEL = r"(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The lengths are those of RFC 5321, section 4.5.3.1: a path has two brackets around the address.
_PLAIN = re.compile(rf"(?=.{{1,254}}\Z)(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?P<top_level>{_LABEL})")
_RESERVED_TOP_LEVELS = {name.rpartition(".")[2] for name in email_validator.SPECIAL_USE_DOMAIN_NAMES}


def is_plain(address: str) -> bool:
    """Whether it looks as nearly all do, and is its own normal form: `normalized` takes far longer.

    Small ASCII letters only, no international label, no reserved domain.
    """
    found = _PLAIN.fullmatch(address)
    return found is not None and found["top_level"] not in _RESERVED_TOP_LEVELS


def normalized(address: str) -> str:
    """The address with its domain in small letters.

    Raises:
        EmailNotValidError: it is none that a relay would take.
    """
    return validate_email(
        address,
        strict=True,  # the length limits of RFC 5321 as well
        allow_smtputf8=False,  # few relays take such addresses, so mail does not send to them
        check_deliverability=False,
        globally_deliverable=False,
        test_environment=True,  # .test is for tests, and ours are not the only ones
    ).normalized
