"""Length and host of a destination. What is well-formed is in tests/vectors/html/urls.json."""

import pytest

from waypost.links import Policy, Reason, plan
from waypost.links.destination import MAX_DESTINATION_BYTES, check, host

BASE = "https://h.example/"


@pytest.mark.parametrize(("length", "reason"), [(4_095, None), (4_096, None), (4_097, Reason.TOO_LONG)])
def test_a_destination_may_have_4096_bytes(length, reason):
    url = BASE + "x" * (length - len(BASE))
    (link,) = plan(f'<a href=" {url}\n">x</a>', Policy()).links
    assert MAX_DESTINATION_BYTES == 4_096
    assert (len(link.destination), link.reason) == (length, reason)


def test_length_is_that_of_the_decoded_destination():
    (link,) = plan(f'<a href="{BASE}?{"&amp;" * 1_000}">x</a>', Policy()).links
    assert link.reason is None


def test_campaign_parameters_count_towards_the_length_and_are_left_out_when_they_make_it_too_long():
    url = BASE + "x" * (4_090 - len(BASE))
    (link,) = plan(f'<a href="{url}">x</a>', Policy(utm={"utm_source": "mail"})).links
    assert (link.reason, link.destination) == (Reason.TOO_LONG, url)


@pytest.mark.parametrize(
    ("html", "policy", "reason"),
    [
        (f'<a href="{BASE}{"x" * 4_100} ">x</a>', Policy(excluded_hosts={"h.example"}), Reason.TOO_LONG),
        (f'<a href="{BASE}{"x" * 4_100}">x</a>', Policy(own_link_domains={"h.example"}, opener=bool), Reason.TOO_LONG),
        (f'<a href="{BASE}{"x" * 4_100}^">x</a>', Policy(), Reason.MALFORMED),
        (f'<a href="{BASE}{"x" * 4_100}{{{{x}}}}">x</a>', Policy(), Reason.PLACEHOLDER),
        (f'<a data-smtpd-no-track href="{BASE}{"x" * 4_100}">x</a>', Policy(), Reason.OPT_OUT),
    ],
    ids=["before excluded_host", "before already_tracked", "after malformed", "after placeholder", "after opt_out"],
)
def test_too_long_has_its_place_among_the_reasons(html, policy, reason):
    (link,) = plan(html, policy).links
    assert link.reason is reason


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (Policy(own_link_domains={"h.example"}, opener=bool), Reason.ALREADY_TRACKED),
        (Policy(own_link_domains={"other.example"}, opener=bool), None),
        (Policy(own_link_domains=None, opener=bool), Reason.ALREADY_TRACKED),
        (Policy(own_link_domains=None, opener=lambda _: False), None),
        (Policy(opener=bool), None),
    ],
)
def test_a_link_of_ours_is_known_by_its_host_when_hosts_are_given_and_by_the_opener(policy, reason):
    (link,) = plan(f'<a href="{BASE}">x</a>', policy).links
    assert link.reason is reason


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://H.Example:8080/x", "h.example"),
        ("http://user:pass@h.example", "h.example"),
        ("http://[2001:DB8::7]:1/", "[2001:db8::7]"),
        ("http://1.2.3.4/", "1.2.3.4"),
    ],
)
def test_the_host_is_lower_case_and_without_port(url, expected):
    assert host(url) == expected


def test_a_url_that_may_not_be_tracked_has_no_host_to_ask_for():
    with pytest.raises(ValueError, match="mailto:x"):
        host("mailto:x")


def test_a_4300_digit_reference_is_a_replacement_character():
    (link,) = plan(f'<a href="{BASE}&#{"1" * 4_300};&#x{"f" * 4_300}">x</a>', Policy()).links
    assert (link.destination, link.reason) == (f"{BASE}\ufffd\ufffd", Reason.MALFORMED)
    assert check(link.destination) is Reason.MALFORMED
