"""The first verdicts are those of all hits of a batch looked at in full; what is left out to be quick never shows."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.events.verdict.hits import BOT, CHROME, DELIVERED, SAFARI, bare

from waypost.events.client import UNKNOWN, Client, ImageProxy
from waypost.events.hit import Hit, HitKind, Outcome
from waypost.events.verdict import Reason, VerdictClass, classify_batch, evidence_of, first_verdicts

GMAIL_AHEAD = {
    "user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
}
HEADERS = [CHROME, CHROME, SAFARI, bare(CHROME), GMAIL_AHEAD, {"accept": "*/*"}, {}]
ADDRESSES = ["", "198.51.100.7", "198.51.100.9", "203.0.113.9", "192.0.2.1", "10.0.0.1", "2001:db8::1"]
ORGANISATIONS = ["", "", "AMAZON-02", "OVH SAS", "Mimecast Services Limited", "T-Mobile USA", "Orange S.A."]
CLIENTS = [UNKNOWN, UNKNOWN, UNKNOWN, BOT, Client(image_proxy=ImageProxy.APPLE), Client(image_proxy=ImageProxy.GOOGLE)]
PAUSES = [0, 0.1, 0.3, 0.5, 1, 1.6, 3, 20, 59.9, 60, 60.1, 119.9, 120, 120.000001, 700]


def in_full(hits, clients, organisations):
    evidence = [
        (hit.send_id, evidence_of(hit, client, organisation))
        for hit, client, organisation in zip(hits, clients, organisations, strict=True)
    ]
    return classify_batch(evidence, {}, datetime(1970, 1, 1, tzinfo=UTC))


def batch_of(choose, number, sends):
    """So many hits, everything about each of them chosen by `choose(values)`; and what enrichment found."""
    at, hits = DELIVERED, []
    for which in range(number):
        at += timedelta(seconds=choose(PAUSES))
        headers, link = choose(HEADERS), choose(range(4))
        hits.append(
            Hit(
                event_id=UUID(int=which + 1),
                occurred_at=at,
                edge="edge-0",
                kind=choose([HitKind.CLICK, HitKind.OPEN]),
                outcome=choose([*[Outcome.ANSWERED] * 9, *Outcome]),
                send_id=choose(sends),
                account=1,
                profile=1,
                link_index=link,
                destination=choose([f"https://shop.example/{link}", "https://shop.example/unsubscribe"]),
                link_domain="links.example.com",
                client_address=choose(ADDRESSES),
                headers=choose([headers, dict(headers)]),
            )
        )
    return hits, [choose(CLIENTS) for _ in hits], [choose(ORGANISATIONS) for _ in hits]


@st.composite
def batches(draw):
    sends = [None, *map(UUID, (f"0000000000000000000000000000000{n}" for n in "123"))]
    hits, clients, organisations = batch_of(
        lambda values: draw(st.sampled_from(values)), draw(st.integers(0, 8)), sends
    )
    order = draw(st.permutations(range(len(hits))))
    return [[values[place] for place in order] for values in (hits, clients, organisations)]


@given(batches())
def test_a_few_hits_are_judged_as_in_full(batch):
    assert first_verdicts(*batch) == in_full(*batch)


@pytest.mark.parametrize("seed", range(4))
def test_many_hits_are_judged_as_in_full(seed):
    rng = random.Random(seed)
    sends = [None, *(UUID(int=1000 + number) for number in range(600))]
    batch = batch_of(lambda values: values[0] if values is PAUSES else rng.choice(values), 1200, sends)
    verdicts = first_verdicts(*batch)
    assert verdicts == in_full(*batch)
    reasons = {reason for verdict in verdicts for reason in verdict.reasons}
    assert {Reason.MANY_RECIPIENTS, Reason.SAME_SYSTEM, Reason.RAPID_LINKS, Reason.CHECKED_CLICK} <= reasons
    assert {verdict.verdict_class for verdict in verdicts} == set(VerdictClass)


def test_none_is_final_however_old_the_hit():
    hits, clients, organisations = batch_of(random.Random(1).choice, 50, [None, UUID(int=9), UUID(int=10)])
    assert not any(verdict.final for verdict in first_verdicts(hits, clients, organisations))
