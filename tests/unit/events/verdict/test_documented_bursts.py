"""C3, verdicts: bursts that others wrote down, with verdicts that were fixed before there was a rule."""

from collections import Counter
from datetime import timedelta

import pytest
from tests.unit.events.verdict.bursts import NAMES, read


@pytest.mark.parametrize("name", NAMES)
def test_a_documented_burst_gets_the_verdicts_fixed_beforehand(name, parser):
    for send in read(name, parser):
        assert {event_id: str(verdict.verdict_class) for event_id, verdict in send.verdicts().items()} == send.expected


@pytest.mark.parametrize("name", NAMES)
def test_a_burst_is_judged_the_same_before_it_is_settled_but_not_finally(name, parser):
    for send in read(name, parser):
        early, late = send.verdicts(timedelta(0)), send.verdicts()
        last = max(send.hits, key=lambda hit: hit.occurred_at)
        assert not early[last.event_id].final
        assert all(verdict.final for verdict in late.values())
        assert [v.score for v in early.values()] == [v.score for v in late.values()]


def test_the_bursts_are_those_that_the_gate_names(parser):
    many = read("many-networks-complete", parser)[0].hits
    assert len(many) == 23
    assert len({hit.client_address.rpartition(".")[0] for hit in many}) == 10
    assert max(hit.occurred_at for hit in many) - min(hit.occurred_at for hit in many) <= timedelta(seconds=15)

    clickers = read("unsubscribe-and-content", parser)
    assert Counter(next(iter(send.expected.values())) for send in clickers) == {"human": 18, "machine": 113}
