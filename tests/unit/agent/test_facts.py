"""Which keyrings are taken, and when there is something to report."""

from waypost.agent.documents import refusal_of
from waypost.agent.facts import report_of, same_holdings
from waypost.links.keyring import Keyring

from .machine import KEYRING, view, worker

MORE = KEYRING.add(bytes(range(64, 128)))


def test_a_keyring_with_more_keys_is_taken():
    assert refusal_of(KEYRING, MORE) == ""
    assert refusal_of(MORE, MORE.promote(2)) == ""


def test_a_keyring_without_a_key_that_is_held_here_is_refused_and_so_is_one_with_another_secret():
    assert "lacks key 2" in refusal_of(MORE, KEYRING)
    assert "its key 1 is another one" in refusal_of(KEYRING, Keyring.new(bytes(64)))


def test_the_report_tells_what_each_worker_holds_and_time_alone_is_no_news():
    report = report_of(view(worker(), worker("edge-1", expected=False), worker("edge-2", status=False)))
    assert [(each.name, each.key_ids, each.snapshot_version) for each in report.workers] == [("edge-0", [1], 7)]
    assert [(key.key_id, key.fingerprint) for key in report.keys] == [(1, KEYRING.keys[0].fingerprint)]
    assert same_holdings(report, report_of(view(worker(silent=1))))
    assert not same_holdings(report, report_of(view(worker(snapshot_version=8))))
    assert not same_holdings(report, None)
