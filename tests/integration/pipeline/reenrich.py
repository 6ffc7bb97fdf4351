"""The core's part of `waypost events enrich` in a process of its own, to be killed: `reenrich.py WHAT DATA DATABASE`.

WHAT is "fill" (8,000 events without a place, in several parts, with more addresses than a round takes), "work" (prints
"working", and ends when there is nothing more to do) or "show" (prints what the store holds as JSON).
"""

import json
import sys
import time
from pathlib import Path

from waypost.events.client_parser import ClientParser
from waypost.events.location import UNKNOWN
from waypost.geoip.locator import Locator
from waypost.pipeline.reenrich import ENRICH, Reenrichment
from waypost.store import EventStore

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.unit.store.rows import hit, hit_row, send_id


def fill(store):
    bare = {"location": UNKNOWN, "unenriched": ("location",)}
    for batch in range(8):
        hits = [hit(1, send_id(), client_address=f"{8 + n % 2}.{batch}.{n % 50}.7") for n in range(1000)]
        store.insert_hits([hit_row(each, record=batch * 1000 + n, **bare) for n, each in enumerate(hits)])
    print("filled")


def work(store):
    locator = Locator([city])
    locator.look()
    again = Reenrichment(data, store.history, ClientParser(), locator, keys_max=40)
    print("working", flush=True)
    while not ENRICH.read(data).is_over:
        again.work()
        time.sleep(0.005)


def show(store):
    [[events, distinct]] = store._query("test", "SELECT count(), uniqExact(record) FROM events")
    places = store._query("test", "SELECT country, count() FROM events GROUP BY country ORDER BY country")
    print(json.dumps({"events": events, "distinct": distinct, "places": [list(place) for place in places]}))


data, city = map(Path, sys.argv[2:])
opened = EventStore.open("", data)
{"fill": fill, "work": work, "show": show}[sys.argv[1]](opened)
opened.close()
