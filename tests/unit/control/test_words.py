"""By which words a send is found."""

import pytest

from waypost.control.sends.words import BUCKET_SENDS, bucket_of, indexed, wanted_words, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ada.Lovelace+news@shop.example", {"ada", "lovelace", "news", "shop", "example"}),
        ("Re: Spring SALE -20%", {"re", "spring", "sale", "20"}),
        ("Straße GROẞ strasse", {"strasse", "gross"}),
        ("\N{LATIN SMALL LIGATURE FI}ne \N{FULLWIDTH DIGIT ONE}2", {"fine", "12"}),
        ("ПРИВЕТ, 日本語!", {"привет", "日本語"}),
        ("snake_case", {"snake", "case"}),
        ("x" * 40, {"x" * 32}),
        ("", set()),
        ("'\"\\:*&|().", set()),
    ],
)
def test_words_are_told_apart_and_compared_without_letter_case(text, words):
    assert words_of([text]) == words


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("Ada", ["ada"]),
        ("ada@shop.ex", ["ada", "shop", "ex"]),
        ("sale  SALE ada", ["sale", "ada"]),
        ("019cb7d4-0d59-7000-8000-000000000001", ["019cb7d40d59700080000000000000 01".replace(" ", "")]),
        ("019cb7d4-0d5", ["019cb7d40d5"]),
        ("e-mail", ["e", "mail"]),
        ("--", []),
    ],
)
def test_a_query_is_read_as_the_text_it_looks_for(query, words):
    assert wanted_words(query) == words


def test_a_word_is_kept_by_account_and_bucket_in_letters_that_need_no_quoting():
    assert indexed(31, 16, "ada") == "10.1f.ada"
    assert [bucket_of(number) for number in (0, BUCKET_SENDS - 1, BUCKET_SENDS)] == [0, 0, 1]
