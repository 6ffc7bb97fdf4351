"""R16, campaign parameters: merged before the fragment, and no byte of the destination is changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waypost.links import Policy, plan
from waypost.links.destination import check
from waypost.links.utm import add_parameters

UTM = {"utm_source": "news", "utm_medium": "email"}
ADDED = "utm_source=news&utm_medium=email"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h.example", f"https://h.example?{ADDED}"),
        ("https://h.example/", f"https://h.example/?{ADDED}"),
        ("https://h.example/?", f"https://h.example/?{ADDED}"),
        ("https://h.example/?a=b", f"https://h.example/?a=b&{ADDED}"),
        ("https://h.example/?a=b&", f"https://h.example/?a=b&{ADDED}"),
        ("https://h.example/#f?g=h", f"https://h.example/?{ADDED}#f?g=h"),
        ("https://h.example/?a#", f"https://h.example/?a&{ADDED}#"),
        ("https://h.example/?a=%7e%7E+%20&;=?", f"https://h.example/?a=%7e%7E+%20&;=?&{ADDED}"),
        ("https://h.example/?utm_source=own", "https://h.example/?utm_source=own&utm_medium=email"),
        ("https://h.example/?utm_source&utm_medium=", "https://h.example/?utm_source&utm_medium="),
        ("https://h.example/?xutm_source=1#utm_medium=2", f"https://h.example/?xutm_source=1&{ADDED}#utm_medium=2"),
    ],
)
def test_parameters_are_merged(url, expected):
    assert add_parameters(url, UTM) == expected


def test_names_and_values_are_percent_encoded():
    assert add_parameters("http://h", {"a b": "ä&=#/%"}) == "http://h?a%20b=%C3%A4%26%3D%23%2F%25"


@given(
    st.text("ab/?#&=%20", max_size=20).map("http://h.example/{}".format),
    st.dictionaries(st.text(min_size=1, max_size=4), st.text()),
)
def test_a_url_that_may_be_tracked_stays_one_and_keeps_every_byte(url, parameters):
    if check(url) is None:
        merged = add_parameters(url, parameters)
        before, _, fragment = url.partition("#")
        assert check(merged) is None
        assert merged.startswith(before)
        assert merged.endswith(fragment)
        assert add_parameters(merged, parameters) == merged


def test_only_tracked_links_get_them():
    html = '<a href="http://h.example/">x</a><a data-smtpd-no-track href="http://h.example/">x</a><a href="#top">x</a>'
    destinations = [link.destination for link in plan(html, Policy(utm=UTM)).links]
    assert destinations == [f"http://h.example/?{ADDED}", "http://h.example/", "#top"]
