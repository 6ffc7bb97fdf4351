from datetime import timedelta
from uuid import UUID

from tests.unit.events.verdict.hits import CHROME, DELIVERED, SEND, bare, hit

from waypost.events.verdict import Reason, SendFacts, VerdictClass, classify, classify_batch

NOW = DELIVERED + timedelta(days=1)


def send(number):
    return UUID(int=1000 + number)


def test_hits_of_many_sends_are_judged_with_their_own():
    first, second = [hit(100 + n / 20, n, link=n) for n in range(6)], [hit(100, 9)]
    hits = [(send(1), first[5]), (send(2), second[0]), *((send(1), each) for each in first[:5])]
    alone = classify(first, SEND, NOW) | classify(second, SEND, NOW)
    verdicts = classify_batch(hits, {send(1): SEND, send(2): SEND}, NOW)
    assert verdicts == [alone[each.event_id] for _, each in hits]


def test_one_client_at_ten_recipients_is_counted_over_the_batch():
    hits = [(send(number), hit(100 + number / 10, number)) for number in range(10)]
    assert all(Reason.MANY_RECIPIENTS in each.reasons for each in classify_batch(hits, {}, NOW))
    assert not any(Reason.MANY_RECIPIENTS in each.reasons for each in classify_batch(hits[1:], {}, NOW))


def test_what_the_caller_counted_is_not_counted_down():
    verdicts = classify_batch([(send(1), hit(100, recipients_at_once=12))], {}, NOW)
    assert [Reason.MANY_RECIPIENTS in each.reasons for each in verdicts] == [True]


def test_anonymous_hits_have_nothing_to_do_with_each_other():
    sweep = [(None, hit(100 + n / 20, n, link=n)) for n in range(6)]
    alone = [(None, hit(200, 8, headers=bare(CHROME)))]
    verdicts = classify_batch([*sweep, *alone], {}, NOW)
    assert [each.verdict_class for each in verdicts] == [VerdictClass.HUMAN] * 6 + [VerdictClass.MACHINE]


def test_of_a_send_that_is_not_there_nothing_is_known():
    one = hit(1, as_organisation="OVH SAS")
    assert classify_batch([(send(1), one)], {}, NOW) == [classify([one], SendFacts(), NOW)[one.event_id]]
