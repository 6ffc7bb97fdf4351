"""The rules of finding links and deciding about them, one case of tests/vectors/html each."""

import pytest
from tests.unit.links.html_vectors import CASES, expected_links, found_links, policy_of

from waypost.links import Reason, plan


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_message_gives_the_links_of_its_vector(case):
    assert found_links(plan(case["html"], policy_of(case))) == expected_links(case)


def test_every_reason_but_the_long_one_has_a_vector():
    assert {link.get("reason") for case in CASES.values() for link in case["links"]} == set(Reason) - {
        Reason.TOO_LONG
    } | {None}
