"""What holds of every verdict, whatever happened."""

from dataclasses import dataclass
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.events.verdict.hits import BOT, CHROME, DELIVERED, SAFARI, SEND, bare, hit

from waypost.events.client import UNKNOWN, Client, ImageProxy
from waypost.events.hit import HitKind, Outcome
from waypost.events.verdict import RULES_VERSION, SendFacts, VerdictClass, classify, classify_one, settled_at

HEADERS = [CHROME, SAFARI, bare(CHROME), {"user-agent": "x"}, {}]
ADDRESSES = ["", "198.51.100.7", "198.51.100.9", "203.0.113.9", "192.0.2.1", "10.0.0.1", "2001:db8::1", "2001:db8:1::1"]
ORGANISATIONS = ["", "AMAZON-02", "OVH SAS", "Mimecast Services Limited", "T-Mobile USA", "Orange S.A."]
CLIENTS = [UNKNOWN, UNKNOWN, UNKNOWN, BOT, Client(image_proxy=ImageProxy.APPLE)]


@dataclass(frozen=True)
class Story:
    send: SendFacts
    hits: list


@st.composite
def stories(draw, most=12):
    """Hits in bursts: most follow within seconds, some after the settling time, to the second."""
    pauses = st.one_of(st.floats(0, 3), st.sampled_from([0, 15, 60, 119.9, 120, 120.1, 700, 8000]))
    at, hits = draw(st.sampled_from([-5.0, 3.0, 100.0, 9000.0])), []
    for number in range(draw(st.integers(1, most))):
        hits.append(
            hit(
                at,
                number,
                kind=draw(st.sampled_from([HitKind.CLICK, HitKind.CLICK, HitKind.OPEN])),
                outcome=draw(st.sampled_from([Outcome.ANSWERED, Outcome.ANSWERED, *Outcome])),
                link=draw(st.integers(0, 5)),
                address=draw(st.sampled_from(ADDRESSES)),
                headers=draw(st.sampled_from(HEADERS)),
                client=draw(st.sampled_from(CLIENTS)),
                as_organisation=draw(st.sampled_from(ORGANISATIONS)),
                recipients_at_once=draw(st.sampled_from([1, 1, 50])),
            )
        )
        at += draw(pauses)
    send = draw(st.sampled_from([SEND, SendFacts(), SendFacts(DELIVERED, 2), SendFacts(DELIVERED, 6, secure=False)]))
    return Story(send, hits)


@given(stories(), st.randoms(use_true_random=False))
def test_the_order_in_which_hits_are_given_does_not_matter(story, random):
    now = settled_at(story.hits)
    shuffled = random.sample(story.hits, len(story.hits))
    assert classify(shuffled, story.send, now) == classify(story.hits, story.send, now)


@given(stories(), st.data())
def test_what_happens_later_changes_no_final_verdict(story, data):
    """The hits up to some moment, and two minutes or more after it: then everything else."""
    known = data.draw(st.integers(1, len(story.hits)))
    early = story.hits[:known]
    now = early[-1].occurred_at + timedelta(seconds=data.draw(st.floats(0, 400)))
    later = [each for each in story.hits[known:] if each.occurred_at >= now]
    before = classify(early, story.send, now)
    after = classify([*early, *later], story.send, settled_at(story.hits))
    for event_id, verdict in before.items():
        if verdict.final:
            assert after[event_id] == verdict


@given(stories())
def test_head_and_prefetch_are_never_human(story):
    verdicts = classify(story.hits, story.send, settled_at(story.hits))
    for each in story.hits:
        if each.outcome in (Outcome.HEAD, Outcome.PREFETCH):
            assert verdicts[each.event_id].verdict_class is VerdictClass.MACHINE


@given(stories())
def test_every_hit_has_one_verdict_with_a_reason_and_a_score_in_range(story):
    verdicts = classify(story.hits, story.send, settled_at(story.hits))
    assert verdicts.keys() == {each.event_id for each in story.hits}
    for verdict in verdicts.values():
        assert verdict.reasons
        assert len(set(verdict.reasons)) == len(verdict.reasons)
        assert -100 <= verdict.score <= 100
        assert verdict.final
        assert verdict.rules_version == RULES_VERSION


@given(stories(most=1), st.floats(0, 400))
def test_a_hit_alone_is_judged_like_a_send_with_one_hit(story, seconds):
    (one,) = story.hits
    now = one.occurred_at + timedelta(seconds=seconds)
    assert classify(story.hits, story.send, now) == {one.event_id: classify_one(one, story.send, now)}
