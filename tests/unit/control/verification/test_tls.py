"""What visits over HTTPS, and CAA records, mean."""

import pytest

from waypost.control.verification.answers import Outcome, Probe, ProbeOutcome, Reply
from waypost.control.verification.problems import Problem
from waypost.control.verification.tls import Caa, forbidding, judge_visits

NAME = "links.shop.example"
CA = "letsencrypt.org"
PROVEN = Probe("192.0.2.1", ProbeOutcome.PROVEN)
NONE = Probe("192.0.2.1", ProbeOutcome.NO_CERTIFICATE, "tlsv1 alert internal error")
BAD = Probe("192.0.2.1", ProbeOutcome.BAD_CERTIFICATE, "certificate has expired")
STRANGER = Probe("192.0.2.1", ProbeOutcome.NOT_OURS, "it calls itself nginx")
AWAY = Probe("192.0.2.2", ProbeOutcome.UNREACHABLE, "connection refused")
FORBIDDEN = Caa("shop.example", ('0 issue "other.example"',))


@pytest.mark.parametrize(
    ("rounds", "caa", "state", "problem", "confirmed"),
    [
        ([[PROVEN]], None, "valid", None, False),
        ([[PROVEN, AWAY]], None, "valid", None, False),
        ([[AWAY]], None, "unknown", Problem.TLS_UNREACHABLE, False),
        ([[AWAY], [AWAY]], None, "unknown", Problem.TLS_UNREACHABLE, False),
        ([[NONE]], None, "missing", Problem.TLS_NONE, False),
        ([[NONE], [NONE]], None, "missing", Problem.TLS_NONE, True),
        ([[NONE], [PROVEN]], None, "valid", None, False),
        ([[AWAY], [BAD]], None, "wrong", Problem.TLS_INVALID, False),
        ([[BAD], [BAD, AWAY]], None, "wrong", Problem.TLS_INVALID, True),
        ([[PROVEN, BAD], [PROVEN, BAD]], None, "wrong", Problem.TLS_INVALID, False),
        ([[STRANGER], [STRANGER]], None, "wrong", Problem.TLS_STRANGER, True),
        ([[NONE]], FORBIDDEN, "missing", Problem.TLS_CAA, False),
        ([[BAD]], FORBIDDEN, "wrong", Problem.TLS_INVALID, False),
        ([[PROVEN]], FORBIDDEN, "valid", Problem.TLS_CAA, False),
    ],
)
def test_https_works_or_one_is_told_why_not(rounds, caa, state, problem, confirmed):
    finding = judge_visits(NAME, rounds, caa, CA)
    assert (finding.state, finding.problem, finding.confirmed) == (state, problem, confirmed)
    assert finding.required


def test_the_sentences_say_what_was_seen():
    assert "certificate has expired" in judge_visits(NAME, [[BAD]], None, CA).hint
    assert "it calls itself nginx" in judge_visits(NAME, [[STRANGER]], None, CA).hint
    assert "shop.example" in judge_visits(NAME, [[NONE]], FORBIDDEN, CA).hint
    assert 'issue "letsencrypt.org"' in judge_visits(NAME, [[NONE]], FORBIDDEN, CA).hint


@pytest.mark.parametrize(
    ("values", "forbids"),
    [
        (['0 issue "letsencrypt.org"'], False),
        (['0 issue "other.example"', '0 issue "LetsEncrypt.org; validationmethods=http-01"'], False),
        (['0 issue "other.example"'], True),
        (['0 issue ";"'], True),
        (['0 iodef "mailto:ca@shop.example"'], False),
        (['0 issuewild "other.example"'], False),
        (['128 unheard "of"', '0 issue "letsencrypt.org"'], True),
        (['0 unheard "of"'], False),
    ],
)
def test_caa_records_are_read_as_an_authority_reads_them(values, forbids):
    found = forbidding(Reply(Outcome.FOUND, ("shop.example",), tuple(values)), CA)
    assert found == (Caa("shop.example", tuple(values)) if forbids else None)


def test_no_caa_record_forbids_nothing():
    assert forbidding(Reply(Outcome.NO_RECORD, ("shop.example",)), CA) is None
