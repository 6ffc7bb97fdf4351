"""What makes /readyz red, and what only makes it warn."""

import pytest

from waypost.agent.health import judge
from waypost.agent.view import Remote, Shipping
from waypost.spool.counters import Count

from .machine import NOW, view, worker

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
        (view(), Remote(URL, failure="refused"), f"{URL} has not been reached yet: refused"),
        (
            view(),
            Remote(URL, contact_at=NOW - 300, failure="timed out"),
            f"{URL} has not been reached for 300 s, and blocks set since are unknown here: timed out",
        ),
        (view(), Remote(URL, contact_at=NOW, keyring_refused="it lacks key 2"), "it lacks key 2"),
        (view(), Remote(URL, contact_at=NOW, snapshot_refused="forged"), "forged"),
        (view(), Remote(URL, contact_at=NOW, shipping=Shipping(waiting=("too large",))), "too large"),
    ],
)
def test_a_core_that_is_down_leaves_the_machine_in_rotation(seen, remote, warning):
    readiness = judge(seen, remote, NOW)
    assert (readiness.ready, readiness.warnings) == (True, (warning,))


def test_a_worker_that_an_earlier_setting_had_is_not_missed():
    assert judge(view(worker(), worker("edge-1", silent=9999, expected=False)), None, NOW).ready
