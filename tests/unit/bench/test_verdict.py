"""C3, verdicts, in short: `make bench-verdict` is the long form."""

from collections import Counter

from bench.verdict import GATE, SEEDS, confusion, scores

from waypost.events.client_parser import ClientParser


def test_verdicts_on_simulated_readers_meet_the_gate():
    found = scores(confusion([77, 78], 1000, ClientParser()).total)
    assert {name: value for name, value in found.items() if value < GATE[name]} == {}


def test_no_seed_is_both_seen_and_held_out():
    assert not set(SEEDS["seen"]) & set(SEEDS["held out"])


def test_doubt_is_no_hit():
    counts = Counter(
        {
            ("person", "human"): 90,
            ("person", "unknown"): 8,
            ("person", "machine"): 2,
            ("machine", "machine"): 30,
            ("machine", "unknown"): 5,
            ("machine", "human"): 5,
        }
    )
    assert scores(counts) == {"human recall": 0.9, "machine recall": 0.75, "machine precision": 30 / 32}
