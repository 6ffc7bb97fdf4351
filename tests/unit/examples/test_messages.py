"""The example messages hold what they are there to show."""

import pytest
from demo import messages

from waypost.links import Part, Policy, Reason, plan

MESSAGES = {message.name: message.body for message in messages.load()}
PLANS = {name: plan(body["content_html"], Policy()) for name, body in MESSAGES.items()}


def skipped(name):
    return {link.reason for link in PLANS[name].links} - {None}


def test_there_are_at_least_eight_each_to_a_recipient_of_its_own():
    assert len(MESSAGES) >= 8
    assert len({body["recipient_email_address"] for body in MESSAGES.values()}) == len(MESSAGES)


@pytest.mark.parametrize("name", MESSAGES)
def test_each_has_links_to_track_and_links_to_leave(name):
    assert PLANS[name].tracked
    assert skipped(name)


def test_together_they_show_every_reason_that_needs_no_policy():
    shown = set().union(*(skipped(name) for name in MESSAGES))
    assert shown == {
        Reason.OPT_OUT,
        Reason.PLACEHOLDER,
        Reason.FRAGMENT,
        Reason.RELATIVE,
        Reason.SCHEME,
        Reason.MALFORMED,
    }


def test_the_old_one_kept_its_crlf_line_ends_through_git():
    for part in ("content_html", "content_text"):
        text = MESSAGES["old-tables-crlf"][part]
        assert text.count("\r\n") == text.count("\n") > 10


def test_the_digest_has_sixty_links_that_count():
    assert len(PLANS["digest"].tracked) == 60


def test_the_newsletter_has_buttons_for_outlook_that_share_the_index_of_their_twins():
    links = PLANS["newsletter"].links
    outlook = {link.index for link in links if link.part is Part.OUTLOOK}
    assert len(outlook) == 2
    assert outlook <= {link.index for link in links if link.part is Part.HTML}


def test_the_invoice_s_query_strings_are_decoded():
    assert all("&amp;" not in link.destination for link in PLANS["invoice"].tracked)
    assert sum("&" in link.destination for link in PLANS["invoice"].tracked) >= 6


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("arabic-invitation", "؀", "ۿ"), ("hebrew-library", "֐", "׿"), ("japanese-timetable", "ぁ", "ヿ")],
)
def test_scripts_other_than_latin_are_there_in_every_part(name, first, last):
    for part in ("subject", "recipient_name", "content_html", "content_text"):
        text = MESSAGES[name][part]
        assert any(first <= letter <= last or "一" <= letter <= "鿿" for letter in text), part
