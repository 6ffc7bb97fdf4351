"""The simulation of readers is repeatable, and shows the rules nothing that an edge would not."""

from itertools import pairwise

import pytest

from waypost.edge.decide import KEPT_HEADERS, outcome_of
from waypost.events.client import DeviceType
from waypost.events.client_parser import ClientParser
from waypost.events.hit import Outcome
from waypost.testing.readers import SCENARIOS, readers


@pytest.fixture(scope="module")
def world():
    return list(readers(seed=42, mailings=1500))


def test_one_seed_gives_one_world_and_another_another():
    assert list(readers(7, 50)) == list(readers(7, 50))
    assert list(readers(7, 50)) != list(readers(8, 50))


def test_every_scenario_happens(world):
    assert {send.scenario for send in world} == {scenario.__name__ for scenario, _ in SCENARIOS}


def test_headers_are_those_that_an_edge_keeps(world):
    for visit in (visit for send in world for visit in send.visits):
        assert visit.headers.keys() <= KEPT_HEADERS.keys()
        assert all(len(value.encode()) <= KEPT_HEADERS[name] for name, value in visit.headers.items())


def test_outcomes_are_those_that_an_edge_would_see(world):
    for visit in (visit for send in world for visit in send.visits):
        method = b"HEAD" if visit.outcome is Outcome.HEAD else b"GET"
        assert outcome_of(method, visit.headers) is visit.outcome


def test_every_hit_has_an_id_of_its_own(world):
    parser = ClientParser()
    ids = [hit.event_id for send in world for hit in send.evidence(parser)]
    assert len(set(ids)) == len(ids)


def test_visits_are_in_order_and_follow_links_that_there_are(world):
    for send in world:
        assert all(one.at <= other.at for one, other in pairwise(send.visits))
        assert all(visit.link is None or visit.link < len(send.links) for visit in send.visits)


def test_people_read_with_nothing_that_says_it_is_a_program(world):
    parser = ClientParser()
    for send in world:
        for visit, hit in zip(send.visits, send.evidence(parser), strict=True):
            if visit.person:
                assert hit.client.device_type is not DeviceType.BOT, visit.headers
