"""What bench/edge.py reads and reckons, without a server."""

import json

import pytest
from bench.edge_figures import percentiles, quantile, ratios
from bench.edge_front import with_certificate
from bench.edge_gates import GATES, rows
from bench.edge_load import NotAnsweredError, read_h2load, read_wrk, write_clicks
from bench.edge_plot import plot
from bench.edge_rounds import Round, figures
from bench.edge_servers import (
    BARE,
    COMPILED_GROUP,
    COMPILED_PROCESS,
    FRONTED,
    GRANIAN,
    GROUP,
    NGINX,
    PROCESS,
    NotMeasuredError,
)
from bench.edge_tls import Round as TlsRound
from bench.edge_tls import figures as tls_figures

from waypost.cli.caddyfile import Front, caddyfile_of
from waypost.config import load
from waypost.links.keyring import Keyring
from waypost.links.token import open_token

WRK = """\
Running 3s test @ http://127.0.0.1:18080
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.12ms    1.11ms   8.74ms   86.73%
    Req/Sec    70.58k    25.60k  116.37k    66.67%
  Latency Distribution
     50%  738.00us
     75%    0.96ms
     90%    2.64ms
     99%    {p99}
  210375 requests in {seconds}, 77.24MB read
{more}Requests/sec:  69978.19
Transfer/sec:     25.69MB
"""


@pytest.mark.parametrize(
    ("p99", "milliseconds"), [("5.55ms", 5.55), ("955.00us", 0.955), ("1.20s", 1200.0)], ids=["ms", "us", "s"]
)
def test_wrk_tells_latency_in_three_units(p99, milliseconds):
    answered = read_wrk(WRK.format(p99=p99, seconds="3.01s", more=""))
    assert (answered.requests, answered.seconds) == (210_375, 3.01)
    assert answered.p99_ms == pytest.approx(milliseconds)
    assert answered.per_second == pytest.approx(210_375 / 3.01)


def test_wrk_tells_long_runs_in_minutes():
    assert read_wrk(WRK.format(p99="1.00ms", seconds="1.50m", more="")).seconds == 90


@pytest.mark.parametrize(
    "more", ["  Non-2xx or 3xx responses: 7\n", "  Socket errors: connect 0, read 3, write 0, timeout 0\n"]
)
def test_a_load_that_was_not_answered_well_has_no_figures(more):
    with pytest.raises(NotAnsweredError):
        read_wrk(WRK.format(p99="1.00ms", seconds="3.01s", more=more))


def h2load_log(*rows):
    return "".join(f"{1_795_000_000_000_000 + began}\t{status}\t{took}\n" for began, status, took in rows)


def test_requests_count_from_when_all_connections_were_there():
    log = h2load_log((0, 302, 9000), (500_000, 302, 1500), (1_400_000, 302, 250), (1_500_000, 302, 9000))
    assert read_h2load(log, 4, ramp_seconds=0.5, seconds=1) == [1.5, 0.25]


@pytest.mark.parametrize(
    "rows", [[(0, 302, 1)], [(0, 302, 1), (1, 404, 1)], [(0, 302, 1), (1, -1, 1)]], ids=["missing", "404", "failed"]
)
def test_a_request_at_a_rate_that_was_not_redirected_leaves_no_figures(rows):
    with pytest.raises(NotAnsweredError):
        read_h2load(h2load_log(*rows), 2, ramp_seconds=0, seconds=1)


def test_a_ratio_is_to_the_same_round():
    assert ratios([10, 40, 30], [5, 10, 10]) == {"median": 3, "low": 2, "high": 4}


def test_a_quantile_is_a_value_that_was_measured():
    values = [float(number) for number in range(1000, 0, -1)]
    assert quantile(values, 0.5) == 501
    assert percentiles(values) == {"p50": 501, "p90": 901, "p99": 991, "p99.9": 1000, "max": 1000}
    assert quantile([7.0], 0.99) == 7


def test_clicks_are_distinct_tokens_that_open(tmp_path):
    keyring = Keyring.new(bytes(range(64)))
    clicks = write_clicks(tmp_path, keyring)
    urls = clicks.file.read_text().split()
    assert len(set(urls)) == len(urls) == 10_000
    assert urls[0] == f"http://localhost{clicks.path}"
    opened = [open_token(url.rpartition("/")[2], "localhost", keyring) for url in urls[:80]]
    assert opened[0].destination == clicks.destination
    assert len({payload.destination for payload in opened}) == 40


def shipped(tmp_path):
    return caddyfile_of(load(None, {}, tmp_path), Front())


def test_the_front_that_is_measured_is_the_shipped_one_but_for_where_certificates_come_from(tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    before, after = shipped(tmp_path), with_certificate(shipped(tmp_path), certificate, key)
    assert f"\ttls {certificate} {key}\n" in after
    new = set(after.splitlines()) - set(before.splitlines())
    assert new - {"\tadmin off"} == {f"\ttls {certificate} {key}", "\tdefault_bind 127.0.0.1"}


def test_a_front_without_certificates_on_demand_is_not_the_one_that_is_meant(tmp_path):
    changed = shipped(tmp_path).replace("\t\ton_demand\n", "\t\tinternal\n")
    with pytest.raises(NotMeasuredError, match="on_demand"):
        with_certificate(changed, tmp_path / "certificate.pem", tmp_path / "key.pem")


def result(ours=1.0):
    """A whole result in which Waypost takes `ours` times what nginx takes."""
    nginx = Round(cpu_us=10, per_second=100_000, cores=1, p99_ms=1, unsynced=0)
    us = Round(cpu_us=10 * ours, per_second=100_000 / ours, cores=1, p99_ms=ours, unsynced=0)
    others = (GRANIAN, BARE, PROCESS, GROUP, COMPILED_PROCESS, COMPILED_GROUP, FRONTED)
    by_name = {NGINX: nginx} | dict.fromkeys(others, us)
    redirect = {name: figures([each, each], [nginx, nginx]) for name, each in by_name.items()}
    steady = {
        name: {"rate": 1000, "requests": 100, "held": 1.0, "unsynced": 0, "ms": percentiles([5 * ours] * 100)}
        for name in (NGINX, PROCESS, GROUP, COMPILED_PROCESS, COMPILED_GROUP)
    }
    by_tls = {NGINX: TlsRound(per_second=1_000, front_us=900, origin_us=100)} | dict.fromkeys(
        (GROUP, COMPILED_PROCESS, COMPILED_GROUP),
        TlsRound(per_second=1_000 / ours, front_us=900 * ours, origin_us=100 * ours),
    )
    return {
        "machine": {"CPU": "a good one", "cores": 2, "kernel": "6.1", "Python": "3.11"},
        "redirect": redirect,
        "latency": {name: steady[name] for name in (NGINX, PROCESS, GROUP)},
        "workers": {"1": redirect, "2": redirect},
        "tls": {name: {**steady[name], **tls_figures([each], [by_tls[NGINX]])} for name, each in by_tls.items()},
        "memory": {"worker_peak_mb": 50 * ours, "idle_mb": 400 * ours, "idle_processes": 4},
    }


def test_every_gate_is_met_by_who_is_as_good_as_nginx():
    met = {row.gate: row.met for row in rows(result())}
    assert met == {gate.name: True for gate in GATES}


def test_no_gate_is_met_by_who_takes_ten_times_as_much():
    slow = result(ours=10)
    slow["tls"][NGINX]["ms"] = percentiles([5.0] * 100)
    assert [row.gate for row in rows(slow) if row.met] == []


def test_gates_of_parts_that_were_not_measured_are_not_judged():
    assert {row.gate[:2] for row in rows({"memory": result()["memory"]})} == {"P7"}


def test_figures_that_were_written_can_be_drawn_again(tmp_path):
    plot(json.loads(json.dumps(result())), tmp_path / "edge.png")
    assert (tmp_path / "edge.png").read_bytes().startswith(b"\x89PNG")
