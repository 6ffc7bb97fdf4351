"""Both forms of a possessive group find the same, whichever of them this Python takes."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from waypost.links import destination, html, repetition

ROOT = Path(__file__).parents[3]
VECTORS = sorted((ROOT / "tests" / "vectors" / "html").glob("*.json"))
EXAMPLES = sorted((ROOT / "examples" / "messages").glob("*.html"))


@pytest.fixture(params=[True, False], ids=["possessive", "atomic"])
def form(request, monkeypatch):
    if request.param and not repetition._POSSESSIVE_GROUPS_WORK:
        # What stands in for it here is tested; the form itself is another Python's.
        assert repetition.any_number("a").startswith("(?>")
    else:
        monkeypatch.setattr(repetition, "_POSSESSIVE_GROUPS_WORK", request.param)


def compiled_anew(module):
    spec = importlib.util.spec_from_file_location(f"{module.__name__}_anew", module.__file__)
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy


@pytest.mark.parametrize(
    ("group", "text", "taken"),
    [("ab*c", "abcabbd", 3), ("a|b", "abba", 4), ("x", "y", 0), ("a(?:b|c)", "ab" * 2_500 + "ad", 5_000)],
)
@pytest.mark.usefixtures("form")
def test_a_group_is_taken_as_often_as_it_is_there_whole(group, text, taken):
    assert re.match(repetition.any_number(group), text).end() == taken


@pytest.mark.usefixtures("form")
def test_what_was_taken_is_not_given_back():
    assert re.match(repetition.any_number("a") + "a", "aaa") is None


@pytest.mark.usefixtures("form")
def test_every_vector_and_example_has_the_same_links_in_both_forms():
    anew = compiled_anew(html)
    messages = [case["html"] for path in VECTORS for case in json.loads(path.read_text())]
    messages += [path.read_bytes().decode() for path in EXAMPLES]
    assert len(messages) > 100
    for message in messages:
        assert repr(anew.scan(message)) == repr(html.scan(message))


@pytest.mark.usefixtures("form")
def test_urls_are_judged_alike_in_both_forms():
    anew = compiled_anew(destination)
    for url in ("https://a.example/%41?b#c", "http://x/%zz", "http://x/%4", "http://%/", "http://u:p@h:1/", "http://"):
        assert anew.check(url) == destination.check(url)
