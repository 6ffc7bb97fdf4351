"""How signs become a verdict, and when it is final."""

from datetime import timedelta

import pytest
from tests.unit.events.verdict.hits import BOT, CHROME, DELIVERED, ELSEWHERE, SAFARI, SEND, bare, hit

from waypost.events.hit import Outcome
from waypost.events.verdict import (
    RULES,
    RULES_VERSION,
    SETTLED_AFTER,
    Reason,
    SendFacts,
    Verdict,
    VerdictClass,
    classify,
    settled_at,
)
from waypost.events.verdict.burst import ALL_LINKS_SECONDS, CHECK_SECONDS, NETWORKS_SECONDS, RAPID, UNSUBSCRIBE_SECONDS
from waypost.events.verdict.crowd import WINDOW_SECONDS
from waypost.events.verdict.moment import SOON_SECONDS
from waypost.events.verdict.rules import DOUBT_FROM, MACHINE_FROM

LATER = DELIVERED + timedelta(days=9)
UNHEARD_OF = {"user-agent": "Whatever 1.0"}
HUMAN, MACHINE, UNKNOWN = VerdictClass.HUMAN, VerdictClass.MACHINE, VerdictClass.UNKNOWN


def classes(hits, send=SEND, now=LATER):
    verdicts = classify(hits, send, now)
    return [verdicts[each.event_id].verdict_class for each in hits]


@pytest.mark.parametrize(
    ("one", "expected", "score", "reasons"),
    [
        (hit(600), HUMAN, -25, [Reason.USER_NAVIGATION]),
        (hit(600, headers=UNHEARD_OF), HUMAN, 0, [Reason.NO_SIGN]),
        (hit(600, headers=UNHEARD_OF, as_organisation="AMAZON-02"), UNKNOWN, 45, [Reason.CLOUD_NETWORK]),
        (
            hit(60, as_organisation="AMAZON-02"),
            MACHINE,
            65,
            [Reason.CLOUD_NETWORK, Reason.SOON_FROM_DATA_CENTRE, Reason.USER_NAVIGATION],
        ),
        (
            hit(9999, outcome=Outcome.HEAD, as_organisation="T-Mobile USA"),
            MACHINE,
            100,
            [Reason.HEAD, Reason.MOBILE_NETWORK, Reason.HOURS_LATER, Reason.USER_NAVIGATION],
        ),
    ],
    ids=["a reader", "nobody knows", "in doubt", "added up", "decided whatever else there is"],
)
def test_signs_add_up_to_a_verdict(one, expected, score, reasons):
    assert classify([one], SEND, LATER) == {
        one.event_id: Verdict(
            verdict_class=expected, score=score, reasons=tuple(reasons), final=True, rules_version=RULES_VERSION
        )
    }


def test_nothing_has_no_verdict():
    assert classify([], SEND, LATER) == {}


@pytest.mark.parametrize("seconds", [-12, 12])
def test_a_person_who_clicks_twelve_seconds_beside_a_scanner_stays_human(seconds):
    """E6, human or machine: the neighbours in a burst matter."""
    sweep = [hit(100 + n / 20, n, link=n, address=ELSEWHERE, headers=bare(CHROME)) for n in range(6)]
    person = hit(100 + seconds, 9, link=2)
    assert classes([*sweep, person]) == [MACHINE] * 6 + [HUMAN]


def test_a_person_behind_the_same_address_and_browser_as_a_scanner_stays_human():
    sweep = [hit(100 + n / 20, n, link=n, headers=bare(CHROME)) for n in range(6)]
    assert classes([*sweep, hit(112, 9, link=2)])[-1] is HUMAN


def test_a_browser_that_fetches_ahead_does_not_make_its_reader_a_machine():
    assert classes([hit(100, 0, outcome=Outcome.PREFETCH), hit(101, 1)]) == [MACHINE, HUMAN]


def test_who_came_back_is_believed_what_a_stranger_is_not():
    """Two hours later in an old browser, from a cloud: in doubt, unless she was there before."""
    second = hit(7000, 1, headers=UNHEARD_OF, as_organisation="AMAZON-02")
    assert classes([second]) == [UNKNOWN]
    assert classes([hit(600, 0, headers=CHROME), second]) == [HUMAN, HUMAN]


def test_a_verdict_is_final_two_minutes_after_the_last_hit_of_its_burst():
    hits = [hit(100, 0), hit(219, 1), hit(500, 2)]
    last_of_first = DELIVERED + timedelta(seconds=219)
    for now, expected in (
        (last_of_first + SETTLED_AFTER - timedelta(milliseconds=1), [False, False, False]),
        (last_of_first + SETTLED_AFTER, [True, True, False]),
        (settled_at(hits), [True, True, True]),
    ):
        verdicts = classify(hits, SEND, now)
        assert [verdicts[each.event_id].final for each in hits] == expected


def test_one_hit_alone_is_final_after_two_minutes_too():
    one = hit(100)
    for now in (settled_at([one]) - timedelta(milliseconds=1), settled_at([one])):
        assert classify([one], SEND, now)[one.event_id].final == (now == settled_at([one]))


def test_no_window_is_longer_than_the_wait():
    windows = [NETWORKS_SECONDS, ALL_LINKS_SECONDS, UNSUBSCRIBE_SECONDS, CHECK_SECONDS, WINDOW_SECONDS, SOON_SECONDS]
    assert max(windows + [seconds for _, seconds in RAPID]) <= SETTLED_AFTER.total_seconds()


def test_a_bot_is_one_in_every_message():
    assert classes([hit(600, client=BOT)], SendFacts()) == [MACHINE]


def test_weights_decide_what_the_table_says_they_do():
    """A rule of 80 decides against a complete navigation, one of 60 is in doubt against it, one of 45 loses."""
    against = RULES[Reason.USER_NAVIGATION].points
    assert 80 + against >= MACHINE_FROM > 60 + against >= DOUBT_FROM > 45 + against


def test_an_address_that_was_not_kept_accuses_nobody():
    hits = [hit(100 + n, n, address="", headers=headers) for n, headers in enumerate((CHROME, SAFARI, CHROME))]
    assert classes(hits) == [HUMAN] * 3
