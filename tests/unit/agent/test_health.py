"""What makes /readyz red, and what only makes it warn."""

from datetime import UTC, datetime

import pytest

from waypost.agent.health import judge
from waypost.agent.view import Remote, Shipping
from waypost.geoip.state import DatabaseState
from waypost.geoip.state import State as GeoipState
from waypost.spool.counters import Count

from .machine import NOW, view, worker

CITY = "/data/geoip/city.mmdb"
DAY = 86_400
URL = "https://core.example"


@pytest.mark.parametrize(
    ("seen", "problem"),
    [
        (view(worker(status=False)), "edge-0 has not started yet"),
        (view(worker(silent=6)), "edge-0 has been silent for 6 s"),
        (view(worker(silent=-3600)), "edge-0 has been silent for 3600 s"),
        (view(worker(failing=Count.LOST_NO_SPACE)), "edge-0 redirects but cannot keep clicks: lost_no_space"),
        (view(worker(snapshot_version=0)), "edge-0 has not read the snapshot yet"),
        (view(worker(), worker("edge-1", silent=60)), "edge-1 has been silent for 60 s"),
        (view(snapshot=None), "there is no snapshot yet: what is blocked is unknown here"),
        (view(keyring_problem="The keyring is gone."), "The keyring is gone."),
        (view(spool_problem="Input/output error"), "the spool cannot be read: Input/output error"),
        (view(at=NOW - 11), "the data directory has not answered for 11 s"),
    ],
)
def test_what_costs_blocks_or_clicks_or_redirects_takes_the_machine_out_of_rotation(seen, problem):
    readiness = judge(seen, None, NOW)
    assert (readiness.ready, readiness.problems) == (False, (problem,))


def test_a_machine_without_fault_is_ready_and_says_nothing():
    readiness = judge(view(), Remote(URL, contact_at=NOW - 2), NOW)
    assert (readiness.ready, readiness.problems, readiness.warnings) == (True, (), ())


@pytest.mark.parametrize(
    ("seen", "remote", "warning"),
    [
        (view(worker(oldest_at=NOW - 90)), None, "5 clicks of edge-0 wait to be stored, the oldest for 90 s"),
        (view(), Remote(URL, failure="refused"), f"{URL} has given no news yet: refused"),
        (
            view(),
            Remote(URL, contact_at=NOW - 300, failure="timed out"),
            f"{URL} has given no news for 300 s, and blocks set since are unknown here: timed out",
        ),
        (view(), Remote(URL, contact_at=NOW, keyring_refused="it lacks key 2"), "it lacks key 2"),
        (view(), Remote(URL, contact_at=NOW, snapshot_refused="forged"), "forged"),
        (view(), Remote(URL, contact_at=NOW, shipping=Shipping(waiting=("too large",))), "too large"),
    ],
)
def test_a_core_that_is_down_leaves_the_machine_in_rotation(seen, remote, warning):
    readiness = judge(seen, remote, NOW)
    assert (readiness.ready, readiness.warnings) == (True, (warning,))


def geoip(days, problem=""):
    built_at = None if days is None else datetime.fromtimestamp(NOW - days * DAY, UTC)
    return GeoipState(databases=[DatabaseState(path=CITY, built_at=built_at, problem=problem)], stale_days=62)


@pytest.mark.parametrize(
    ("seen", "warnings"),
    [
        (view(geoip=geoip(62)), ()),
        (view(geoip=geoip(63)), (f"{CITY} is 63 days old: run `waypost geoip update`",)),
        (
            view(geoip=geoip(None, "it is not there")),
            (f"where readers are is not known: {CITY}: it is not there; run `waypost geoip update`",),
        ),
        (view(geoip=geoip(1, "junk")), (f"{CITY} was changed and is not used, the one before is: junk",)),
        (view(geoip_problem="junk"), ("which geoip databases the core uses cannot be read: junk",)),
        (view(geoip=GeoipState(databases=[], stale_days=62)), ()),
    ],
)
def test_a_database_of_places_that_is_missing_or_old_is_a_warning(seen, warnings):
    readiness = judge(seen, None, NOW)
    assert (readiness.ready, readiness.warnings) == (True, warnings)


def test_a_worker_that_an_earlier_setting_had_is_not_missed():
    assert judge(view(worker(), worker("edge-1", silent=9999, expected=False)), None, NOW).ready
