from tests.mmdb import LONDON, write_mmdb
from tests.unit.store.rows import hit, send_id

from waypost.events.client import Client, DeviceType
from waypost.events.client_parser import ClientParser
from waypost.events.location import location_of
from waypost.geoip.locator import Locator
from waypost.pipeline.counts import Count, Counts
from waypost.pipeline.enrich import Enricher, Facts, Step, StepName, client_step, location_step


def test_the_client_is_parsed_from_the_headers_of_the_hit():
    enricher = Enricher([client_step(ClientParser())], Counts())
    facts = enricher.enrich(hit(1, send_id(), headers={"user-agent": "curl/8.5.0"}))
    assert facts == Facts(client=Client(browser="curl", browser_version="8.5", device_type=DeviceType.BOT))


def test_a_place_is_found_by_the_address(tmp_path):
    locator = Locator([write_mmdb(tmp_path / "d.mmdb", {"81.2.69.0/24": LONDON})])
    locator.look()
    enricher = Enricher([location_step(locator)], Counts())
    assert enricher.enrich(hit(1, None, client_address="81.2.69.142")).location == location_of(LONDON)
    for address in ("", "127.0.0.1", "9.9.9.9"):
        assert enricher.enrich(hit(1, None, client_address=address)) == Facts()


def test_without_a_database_the_place_is_still_to_be_found_which_is_no_failure(tmp_path):
    counts = Counts()
    enricher = Enricher([location_step(Locator([tmp_path / "none"]))], counts)
    assert enricher.enrich(hit(1, None, client_address="81.2.69.142")).unenriched == ("location",)
    assert enricher.enrich(hit(1, None, client_address="")).unenriched == ()
    assert counts.snapshot()[Count.UNENRICHED] == 0


def test_a_step_that_fails_once_is_tried_again():
    attempts = []

    def flicker(_, facts):
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("input/output error")
        facts.client = Client(browser="found")

    counts = Counts()
    assert Enricher([Step(StepName.CLIENT, flicker)], counts).enrich(hit(1, None)) == Facts(Client(browser="found"))
    assert counts.snapshot()[Count.UNENRICHED] == 0


def test_a_step_that_fails_again_is_given_up_counted_and_not_tried_for_ever(caplog):
    attempts = []

    def fail(*_):
        attempts.append(1)
        raise OSError("input/output error")

    counts = Counts()
    enricher = Enricher([Step(StepName.LOCATION, fail)], counts)
    assert [enricher.enrich(hit(1, None)).unenriched for _ in range(20)] == [("location",)] * 20
    assert (len(attempts), counts.snapshot()[Count.UNENRICHED], len(caplog.records)) == (40, 20, 10)


def test_a_step_that_fails_does_not_stop_the_next():
    def fail(*_):
        raise KeyError("x")

    def work(_, facts):
        facts.client = Client(browser="found")

    facts = Enricher([Step(StepName.CLIENT, fail), Step(StepName.CLIENT, work)], Counts()).enrich(hit(1, None))
    assert facts == Facts(client=Client(browser="found"), unenriched=("client",))
