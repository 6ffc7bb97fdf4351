"""Short forms of destinations: never longer, always reversible, never more than the limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waypost.links.compression import CHARACTERS, compress, decompress
from waypost.links.url_codes import SUBSTRINGS

texts = st.text(CHARACTERS, max_size=200) | st.lists(
    st.sampled_from(SUBSTRINGS) | st.text("0123456789abcdef", max_size=300) | st.text(CHARACTERS, max_size=5),
    max_size=20,
).map("".join)


@given(texts)
def test_the_short_form_comes_back_and_is_never_longer(text):
    short = compress(text)
    assert decompress(short, len(text)) == text
    assert len(short) <= len(text)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_text_within_the_limit_or_an_error(data):
    try:
        text = decompress(data, 100)
    except ValueError:
        return
    assert len(text) <= 100
    assert set(text) <= set(CHARACTERS)


@pytest.mark.parametrize("text", [*CHARACTERS, *SUBSTRINGS])
def test_every_character_and_substring_takes_one_byte(text):
    assert len(compress(text)) == 1


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("", b""),
        ("https://www.", b"\xaa"),
        ("be5a05f0", b"\0\x04\xbe\x5a\x05\xf0"),
        ("iCO6Q90_OoFEWdxJ", b"\0\x84" + bytes.fromhex("88 23 ba 43 dd 3f 3a 81 44 59 dc 49")),
        ("0f" * 127, b"\0\x7f" + b"\x0f" * 127),
        ("Zq-_" * 127, b"\0\xff" + bytes.fromhex("66 af bf") * 127),
    ],
)
def test_short_forms_are_as_documented(text, short):
    assert compress(text) == short
    assert decompress(short, len(text)) == text


@pytest.mark.parametrize("text", ["a b", "\n", "\u00e9", "<", "\0"])
def test_a_character_outside_rfc_3986_has_no_short_form(text):
    with pytest.raises(ValueError, match="outside RFC 3986"):
        compress(text)


@pytest.mark.parametrize(
    "data",
    [b"\0", b"\0\0", b"\0\x80", b"\0\x02a", b"\0\x81ab", b"abc\0\x7f" + bytes(126), b"a" * 11, b"\0\x06" + bytes(6)],
)
def test_what_is_no_short_form_of_ten_characters_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011 -- the type is the contract
        decompress(data, 10)


def test_the_table_is_complete_and_says_each_thing_once():
    assert len(SUBSTRINGS) == len(set(SUBSTRINGS)) == 256 - 1 - len(CHARACTERS)
    assert set("".join(SUBSTRINGS)) <= set(CHARACTERS)
    assert max(map(len, SUBSTRINGS)) == 17  # the most that one byte can become
