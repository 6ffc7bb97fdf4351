from tests.mmdb import LONDON, write_mmdb
from tests.unit.store.rows import hit, send_id

from waypost.events.client import UNKNOWN, Client, DeviceType, ImageProxy
from waypost.events.client_parser import ClientParser
from waypost.events.hit import HitKind
from waypost.events.location import UNKNOWN as UNKNOWN_LOCATION
from waypost.events.location import location_of
from waypost.geoip.locator import Locator
from waypost.pipeline.counts import Count, Counts
from waypost.pipeline.enrich import Enricher, Facts, Step, StepName, client_step, location_step


def test_the_client_is_parsed_from_the_headers_of_the_hit():
    enricher = Enricher(Counts(), client=client_step(ClientParser()))
    found = enricher.enrich([hit(1, send_id(), headers={"user-agent": "curl/8.5.0"})])
    curl = Client(browser="curl", browser_version="8.5", device_type=DeviceType.BOT)
    assert found == Facts([curl], [UNKNOWN_LOCATION], [()])


def test_a_place_is_found_by_the_address(tmp_path):
    locator = Locator([write_mmdb(tmp_path / "d.mmdb", {"81.2.69.0/24": LONDON})])
    locator.look()
    enricher = Enricher(Counts(), location=location_step(locator))
    assert enricher.enrich([hit(1, None, client_address="81.2.69.142")]).locations == [location_of(LONDON)]
    for address in ("", "127.0.0.1", "9.9.9.9"):
        assert enricher.enrich([hit(1, None, client_address=address)]) == Facts([UNKNOWN], [UNKNOWN_LOCATION], [()])


def test_without_a_database_the_place_is_still_to_be_found_which_is_no_failure(tmp_path):
    counts = Counts()
    enricher = Enricher(counts, location=location_step(Locator([tmp_path / "none"])))
    assert enricher.enrich([hit(1, None, client_address="81.2.69.142")]).unenriched == [("location",)]
    assert enricher.enrich([hit(1, None, client_address="")]).unenriched == [()]
    assert counts.snapshot()[Count.UNENRICHED] == 0


def every_hit(hits):
    return [None] * len(hits)


def one_by_one(find):
    return lambda hits: [find(each) for each in hits]


def test_a_step_that_fails_once_is_tried_again():
    attempts = []

    def flicker(_):
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("input/output error")
        return Client(browser="found")

    counts = Counts()
    enricher = Enricher(counts, client=Step(StepName.CLIENT, every_hit, one_by_one(flicker)))
    assert enricher.enrich([hit(1, None)]) == Facts([Client(browser="found")], [UNKNOWN_LOCATION], [()])
    assert counts.snapshot()[Count.UNENRICHED] == 0


def test_a_step_that_fails_again_is_given_up_counted_and_not_tried_for_ever(caplog):
    attempts = []

    def fail(_):
        attempts.append(1)
        raise OSError("input/output error")

    counts = Counts()
    enricher = Enricher(counts, location=Step(StepName.LOCATION, lambda hits: [*map(id, hits)], one_by_one(fail)))
    assert enricher.enrich([hit(1, None) for _ in range(20)]).unenriched == [("location",)] * 20
    # Once for all of them, and twice for each.
    assert (len(attempts), counts.snapshot()[Count.UNENRICHED], len(caplog.records)) == (41, 20, 10)


def test_a_step_is_asked_once_for_hits_that_share_what_it_finds_and_each_that_it_fails_for_counts():
    asked = []

    def find(each):
        asked.append(each.client_address)
        if each.client_address == "9.9.9.9":
            raise KeyError("x")
        return location_of(LONDON)

    counts = Counts()
    step = Step(StepName.LOCATION, lambda hits: [each.client_address for each in hits], one_by_one(find))
    hits = [hit(1, None, client_address=address) for address in ("8.8.8.8", "9.9.9.9", "8.8.8.8", "9.9.9.9")]
    found = Enricher(counts, location=step).enrich(hits)
    assert found == Facts([UNKNOWN] * 4, [location_of(LONDON), UNKNOWN_LOCATION] * 2, [(), ("location",)] * 2)
    # Both together, and then, since one fails, each by itself.
    assert asked == ["8.8.8.8", "9.9.9.9", "8.8.8.8", "9.9.9.9", "9.9.9.9"]
    assert counts.snapshot()[Count.UNENRICHED] == 2


def test_a_step_that_fails_does_not_stop_the_next():
    def fail(_):
        raise KeyError("x")

    enricher = Enricher(
        Counts(),
        client=Step(StepName.CLIENT, every_hit, one_by_one(fail)),
        location=Step(StepName.LOCATION, every_hit, one_by_one(lambda _: location_of(LONDON))),
    )
    assert enricher.enrich([hit(1, None)]) == Facts([UNKNOWN], [location_of(LONDON)], [("client",)])


def test_an_event_names_every_step_that_failed_for_it():
    def fail(_):
        raise KeyError("x")

    enricher = Enricher(
        Counts(),
        client=Step(StepName.CLIENT, every_hit, one_by_one(fail)),
        location=Step(StepName.LOCATION, every_hit, one_by_one(fail)),
    )
    assert enricher.enrich([hit(1, None)] * 2).unenriched == [("client", "location")] * 2


def test_the_same_headers_may_mean_another_client_in_an_open():
    """Only opens are fetched by image proxies."""
    headers = {"user-agent": "Mozilla/5.0"}
    hits = [hit(1, None, kind=kind, headers=headers) for kind in (HitKind.OPEN, HitKind.CLICK)]
    opened, clicked = Enricher(Counts(), client=client_step(ClientParser())).enrich(hits).clients
    assert (opened.image_proxy, clicked.image_proxy) == (ImageProxy.APPLE, None)
