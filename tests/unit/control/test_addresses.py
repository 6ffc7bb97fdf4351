"""Addresses: those that are taken as they are, and those that the library is asked about."""

import email_validator
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waypost.control.addresses import is_plain, normalized

_LABELS = (
    st.text("abn0", min_size=1)
    | st.text("ab0n-_x", min_size=1, max_size=5)
    | st.sampled_from(["xn--", "test", "é", "A"])
)
_NAMES = st.lists(_LABELS, min_size=1, max_size=4).map(".".join)
LONGEST_DOMAIN = ".".join(["d" * 63] * 2 + ["e" * 60, "f"])


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com",
        "news.letter+tag@mail.shop.example",
        "a!#$%&'*+/=?^_`{|}~-@b-c.d2",
        "1@1.co",
        "l" * 64 + "@example.com",
        "l" * 63 + "@" + LONGEST_DOMAIN,
    ],
)
def test_what_is_usual_is_plain(address):
    assert is_plain(address)
    assert normalized(address) == address


@pytest.mark.parametrize(
    "address",
    [
        "Ada@example.com",
        "ada@Example.com",
        "ada@localhost",
        "ada@example.invalid",
        "ada@10.in-addr.arpa",
        "ada@xn--bcher-kva.example",
        "ada@ab--c.example",
        "ada@bücher.example",
        "ada@example.com\n",
        "ada@example.com.",
        "ada@-a.example",
        "ada..b@example.com",
        "ada@b@example.com",
        "l" * 65 + "@example.com",
        "l" * 64 + "@" + LONGEST_DOMAIN,
        "ada@" + "d" * 64 + ".example",
    ],
)
def test_the_library_is_asked_about_the_others(address):
    assert not is_plain(address)


@given(_NAMES, _NAMES)
@settings(max_examples=2000)
def test_the_library_would_give_a_plain_address_back_as_it_is(local_part, domain):
    address = f"{local_part}@{domain}"
    assert not is_plain(address) or normalized(address) == address


def test_no_reserved_name_is_plain():
    assert not any(is_plain(f"ada@mail.{name}") for name in email_validator.SPECIAL_USE_DOMAIN_NAMES)
