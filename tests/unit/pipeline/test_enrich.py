from tests.unit.store.rows import hit, send_id

from waypost.events.client import Client, DeviceType
from waypost.events.client_parser import ClientParser
from waypost.pipeline.counts import Counts
from waypost.pipeline.enrich import Enricher, Facts, Step, StepName, client_step


def test_the_client_is_parsed_from_the_headers_of_the_hit():
    enricher = Enricher([client_step(ClientParser())], Counts())
    facts = enricher.enrich(hit(1, send_id(), headers={"user-agent": "curl/8.5.0"}))
    assert facts == Facts(client=Client(browser="curl", browser_version="8.5", device_type=DeviceType.BOT))


def test_a_step_that_fails_does_not_stop_the_next():
    def fail(*_):
        raise KeyError("x")

    def work(_, facts):
        facts.client = Client(browser="found")

    facts = Enricher([Step(StepName.CLIENT, fail), Step(StepName.CLIENT, work)], Counts()).enrich(hit(1, None))
    assert facts == Facts(client=Client(browser="found"), unenriched=("client",))
