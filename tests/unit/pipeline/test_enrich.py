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
    (facts,) = enricher.enrich([hit(1, send_id(), headers={"user-agent": "curl/8.5.0"})])
    assert facts == Facts(client=Client(browser="curl", browser_version="8.5", device_type=DeviceType.BOT))


def test_a_place_is_found_by_the_address(tmp_path):
    locator = Locator([write_mmdb(tmp_path / "d.mmdb", {"81.2.69.0/24": LONDON})])
    locator.look()
    enricher = Enricher([location_step(locator)], Counts())
    assert enricher.enrich([hit(1, None, client_address="81.2.69.142")])[0].location == location_of(LONDON)
    for address in ("", "127.0.0.1", "9.9.9.9"):
        assert enricher.enrich([hit(1, None, client_address=address)])[0] == Facts()


def test_without_a_database_the_place_is_still_to_be_found_which_is_no_failure(tmp_path):
    counts = Counts()
    enricher = Enricher([location_step(Locator([tmp_path / "none"]))], counts)
    assert enricher.enrich([hit(1, None, client_address="81.2.69.142")])[0].unenriched == ("location",)
    assert enricher.enrich([hit(1, None, client_address="")])[0].unenriched == ()
    assert counts.snapshot()[Count.UNENRICHED] == 0


def every_hit(_):
    return None


def test_a_step_that_fails_once_is_tried_again():
    attempts = []

    def flicker(_):
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("input/output error")
        return Client(browser="found")

    counts = Counts()
    enricher = Enricher([Step(StepName.CLIENT, every_hit, flicker)], counts)
    assert enricher.enrich([hit(1, None)]) == [Facts(Client(browser="found"))]
    assert counts.snapshot()[Count.UNENRICHED] == 0


def test_a_step_that_fails_again_is_given_up_counted_and_not_tried_for_ever(caplog):
    attempts = []

    def fail(_):
        attempts.append(1)
        raise OSError("input/output error")

    counts = Counts()
    enricher = Enricher([Step(StepName.LOCATION, id, fail)], counts)
    assert [facts.unenriched for facts in enricher.enrich([hit(1, None) for _ in range(20)])] == [("location",)] * 20
    assert (len(attempts), counts.snapshot()[Count.UNENRICHED], len(caplog.records)) == (40, 20, 10)


def test_a_step_is_asked_once_for_hits_that_share_what_it_finds_and_each_that_it_fails_for_counts():
    asked = []

    def find(each):
        asked.append(each.client_address)
        if each.client_address == "9.9.9.9":
            raise KeyError("x")
        return location_of(LONDON)

    counts = Counts()
    step = Step(StepName.LOCATION, lambda each: each.client_address, find)
    hits = [hit(1, None, client_address=address) for address in ("8.8.8.8", "9.9.9.9", "8.8.8.8", "9.9.9.9")]
    facts = Enricher([step], counts).enrich(hits)
    assert facts == [Facts(location=location_of(LONDON)), Facts(unenriched=("location",))] * 2
    assert asked == ["8.8.8.8", "9.9.9.9", "9.9.9.9"]
    assert counts.snapshot()[Count.UNENRICHED] == 2


def test_a_step_that_fails_does_not_stop_the_next():
    def fail(_):
        raise KeyError("x")

    steps = [
        Step(StepName.LOCATION, every_hit, fail),
        Step(StepName.CLIENT, every_hit, lambda _: Client(browser="found")),
    ]
    assert Enricher(steps, Counts()).enrich([hit(1, None)]) == [
        Facts(client=Client(browser="found"), unenriched=("location",))
    ]
